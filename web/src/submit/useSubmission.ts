import { useMutation } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import { asProblem } from "../api/problem";
import { FormErrors } from "./errors";
import { isObject, type JsonObject } from "./json";
import { useRehearsal } from "./rehearsal";
import { type Body, type Draft, requestOf, type Subject } from "./requests";
import type { Keep } from "./SubmitForm";
import { Once, send } from "./sending";

interface Submitting {
  subject: Subject;
  draft: Draft;
  /** Inputs beside those that the form has. */
  besides: ((body: Body) => JsonObject) | undefined;
  blocked: string | null;
  keep: Keep | undefined;
}

/** The request that a form stands for: judged as it changes, and sent. */
export function useSubmission({ subject, draft, besides, blocked, keep }: Submitting) {
  const navigate = useNavigate();
  const [wasTried, setTried] = useState(false);
  const once = useRef(new Once());
  const request = useMemo(() => {
    const made = requestOf(subject, draft);
    return { ...made, body: withInputs(made.body, besides?.(draft.body) ?? {}) };
  }, [subject, draft, besides]);
  const isUntouched = subject.kind === "image" && !draft.body["image"] && !wasTried;
  const rehearsal = useRehearsal(blocked || isUntouched ? null : request);
  const sending = useMutation({
    mutationFn: async () => {
      if (!keep) return send(request, { key: once.current.keyFor(request) });
      await keep.save(request);
      return null;
    },
    onSuccess: (made) => {
      if (made) void navigate({ to: `/${made.kind}/$id`, params: { id: made.id } });
    },
  });
  const { reset } = sending;
  useEffect(() => {
    // What was said of another request holds no more.
    if (request) reset();
  }, [request, reset]);
  const refusal = rehearsal.problem ?? (sending.error ? asProblem(sending.error) : null);
  const within = keep ? `${keep.prefix}${request.to === "batches" ? "batch" : "execution"}.` : "";
  const prefix = `${rehearsal.problem ? "" : within}${request.prefix}`;

  function submit(): void {
    setTried(true);
    if (!sending.isPending && !blocked) sending.mutate();
  }

  return {
    request,
    rehearsal,
    wasTried,
    errors: FormErrors.of(refusal?.errors ?? [], prefix),
    isSending: sending.isPending,
    // What the rehearsal says as well is said once.
    problem: rehearsal.state === "refused" ? null : sending.error,
    submit,
  };
}

function withInputs(body: JsonObject, more: JsonObject): JsonObject {
  if (Object.keys(more).length === 0) return body;
  return { ...body, inputs: { ...(isObject(body["inputs"]) ? body["inputs"] : {}), ...more } };
}
