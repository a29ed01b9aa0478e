import { Button, Group, Stack } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, ask } from "../api/client";
import { asProblem } from "../api/problem";
import type { Schemas } from "../api/types";
import { FormErrors } from "../submit/errors";
import { Dialog } from "../ui/Dialog";
import { readLabels } from "../ui/labelText";
import { say } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
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
  const [draft, setDraft] = useState<TriggerDraft>(() => draftOf(trigger, target));
  const [text, setText] = useState(() => written(trigger?.target ?? EXAMPLE));
  const wanted = target ?? parsed(text);
  const saving = useMutation({
    mutationFn: () => save(draft, wanted, trigger),
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
          saving.mutate();
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
          <ProblemView error={saving.error} shownFields={SHOWN} />
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

/** What was made, with what is shown once; null of a change. A target that nobody touched stays, with its secrets. */
async function save(
  draft: TriggerDraft,
  target: unknown,
  trigger: Trigger | undefined,
): Promise<Schemas["NewTriggerView"] | null> {
  const said = {
    name: draft.name,
    note: draft.note.trim() || null,
    labels: readLabels(draft.labels),
    payload_input: draft.payloadInput.trim() || null,
    max_per_minute: Number(draft.maxPerMinute),
  };
  if (!trigger) {
    const signing = draft.signature && {
      signature: draft.signature,
      ...(draft.secret && { secret: draft.secret }),
    };
    const body = { ...said, target, ...signing } as unknown as Schemas["NewTrigger"];
    return ask(api.POST("/v1/triggers", { body }));
  }
  const wasTouched = written(target) !== written(trigger.target);
  const body = { ...said, ...(wasTouched ? { target } : {}) };
  await ask(api.PATCH("/v1/triggers/{id}", { params: { path: { id: trigger.id } }, body }));
  return null;
}
