import { Button, Group, Stack } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { changeTogether, tagged } from "../api/changing";
import { api, ask } from "../api/client";
import { asProblem } from "../api/problem";
import type { Schemas } from "../api/types";
import { FormErrors } from "../submit/errors";
import { type Json, type JsonObject, patchOf } from "../submit/json";
import { ChangeProblem } from "../ui/ChangeProblem";
import { Dialog } from "../ui/Dialog";
import { readLabels } from "../ui/labelText";
import { say } from "../ui/notify";
import { TRIGGERS, type Trigger } from "./queries";
import { TargetsField } from "./TargetsField";
import { TriggerFields } from "./TriggerFields";
import { TriggerOnce } from "./TriggerOnce";
import { parsed, type Target, written } from "./targets";
import { draftOf, type TriggerDraft } from "./triggerDraft";

const EXAMPLE = {
  execution: {
    image: "busybox:local",
    command: ["sh", "-c", "echo building $INPUT_REF"],
    inputs: { ref: "main" },
  },
};
const SHOWN = ["name", "note", "labels", "payload_input", "max_per_minute", "secret"];

interface TriggerDialogProps {
  /** What a new one submits; none: it is written here. */
  target?: Target;
  /** One that is changed. */
  trigger?: Trigger;
  onClose: () => void;
}

/** Make an address to which other systems post, or change it. */
export function TriggerDialog({ target, trigger, onClose }: TriggerDialogProps) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [seen] = useState(trigger);
  const [draft, setDraft] = useState<TriggerDraft>(() => draftOf(trigger, target));
  const [text, setText] = useState(() => written(trigger?.target ?? EXAMPLE));
  const wanted = target ?? parsed(text);
  const saving = useMutation({
    mutationFn: (from: Trigger | undefined): Promise<Schemas["NewTriggerView"] | null> =>
      seen ? save(seen, draft, wanted, from ?? seen) : make(draft, wanted),
    onSuccess: async (made) => {
      await client.invalidateQueries({ queryKey: TRIGGERS });
      if (made) return;
      say("The trigger was changed.");
      onClose();
    },
  });
  const errors = new FormErrors(saving.error ? asProblem(saving.error).errors : []);
  const made = saving.data;
  if (made) {
    const leave = () => {
      onClose();
      void navigate({ to: "/triggers/$id", params: { id: made.id } });
    };
    return <TriggerOnce made={made} onClose={leave} />;
  }
  return (
    <Dialog onClose={onClose} title={trigger ? "Change the trigger" : "New trigger"} size="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          // A dialog is drawn in the form that opened it, as far as events go.
          event.stopPropagation();
          saving.mutate(seen);
        }}
      >
        <Stack gap="sm">
          <TriggerFields
            draft={draft}
            errors={errors}
            isNew={trigger === undefined}
            onChange={(part) => setDraft({ ...draft, ...part })}
          />
          {!target && (
            <TargetsField
              label="What it submits"
              description='{"execution": …} or {"batch": …}, as it would be submitted. “Trigger…” beside the form for submitting fills this in.'
              isChange={trigger !== undefined}
              value={text}
              error={errors.at("target")}
              onChange={setText}
            />
          )}
          <ChangeProblem<Trigger>
            error={saving.error}
            shownFields={SHOWN}
            onAgain={(now) => saving.mutate(now)}
            onLeave={onClose}
          />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={saving.isPending} disabled={wanted === undefined}>
              {trigger ? "Save" : "Make the trigger"}
            </Button>
          </Group>
        </Stack>
      </form>
    </Dialog>
  );
}

function bodyOf(draft: TriggerDraft): JsonObject {
  return {
    name: draft.name,
    note: draft.note.trim() || null,
    labels: readLabels(draft.labels),
    payload_input: draft.payloadInput.trim() || null,
    max_per_minute: Number(draft.maxPerMinute),
  };
}

/** What was made, with what is shown once. */
function make(draft: TriggerDraft, target: unknown): Promise<Schemas["NewTriggerView"]> {
  const signing = draft.signature && {
    signature: draft.signature,
    ...(draft.secret && { secret: draft.secret }),
  };
  const body = { ...bodyOf(draft), target, ...signing } as unknown as Schemas["NewTrigger"];
  return ask(api.POST("/v1/triggers", { body }));
}

/** What was changed since it was `seen`, on it as it was at `from`: a target that nobody touched stays, with its secrets. */
async function save(seen: Trigger, draft: TriggerDraft, target: unknown, from: Trigger): Promise<null> {
  const wasTouched = written(target) !== written(seen.target);
  const patch = {
    ...patchOf(bodyOf(draftOf(seen, undefined)), bodyOf(draft)),
    ...(wasTouched ? { target: target as Json } : {}),
  };
  const params = { path: { id: seen.id } };
  await changeTogether(from, patch, {
    read: () => tagged(api.GET("/v1/triggers/{id}", { params })),
    send: (body, etag) =>
      ask(api.PATCH("/v1/triggers/{id}", { params, headers: { "If-Match": etag }, body })),
  });
  return null;
}
