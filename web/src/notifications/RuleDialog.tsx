import { Button, Checkbox, Group, Modal, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask } from "../api/client";
import { asProblem } from "../api/problem";
import type { Schemas } from "../api/types";
import { useMay } from "../session/session";
import { FormErrors } from "../submit/errors";
import { say } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { bodyOf, draftOf, type RuleDraft } from "./draft";
import { NarrowingFields } from "./NarrowingFields";
import { NOTIFICATIONS } from "./queries";
import type { Rule } from "./telling";
import { WhenFields } from "./WhenFields";

const SHOWN = [
  ...["to", "statuses", "causes", "alert_after", "per"],
  ...["pools", "methods", "labels", "description", "owner"],
];

interface RuleDialogProps {
  /** One that is changed. */
  rule?: Rule;
  onClose: () => void;
  onMade?: (id: string) => void;
}

/** Who is told what; to make a rule, and to change one. */
export function RuleDialog({ rule, onClose, onMade }: RuleDialogProps) {
  const client = useQueryClient();
  const isAdmin = useMay("admin");
  const [draft, setDraft] = useState<RuleDraft>(() => draftOf(rule));
  const put = (part: Partial<RuleDraft>) => setDraft((before) => ({ ...before, ...part }));
  const saving = useMutation({
    mutationFn: () => save(draft, rule),
    onSuccess: async (saved) => {
      await client.invalidateQueries({ queryKey: NOTIFICATIONS });
      if (rule) say("The rule was changed.");
      onClose();
      if (!rule) onMade?.(saved.id);
    },
  });
  const errors = new FormErrors(saving.error ? asProblem(saving.error).errors : []);
  return (
    <Modal opened onClose={onClose} title={rule ? "Change the rule" : "New rule"} size="lg">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          saving.mutate();
        }}
      >
        <Stack gap="sm">
          <PasswordInput
            label="To whom"
            description={
              rule
                ? "Left empty: as before. It is never shown."
                : "One recipient, as Apprise writes it. It may have a password in it, and is never shown again."
            }
            placeholder="mailtos://ann:password@smtp.example.com?to=ann@example.com"
            required={!rule}
            data-autofocus
            autoComplete="new-password"
            maxLength={2048}
            value={draft.to}
            error={errors.at("to")}
            onChange={({ currentTarget }) => put({ to: currentTarget.value })}
          />
          <WhenFields draft={draft} errors={errors} onChange={put} />
          <NarrowingFields draft={draft} errors={errors} onChange={put} />
          <TextInput
            label="Description"
            placeholder="Wakes ann"
            value={draft.description}
            error={errors.at("description")}
            onChange={({ currentTarget }) => put({ description: currentTarget.value })}
          />
          {isAdmin && !rule && (
            <Checkbox
              label="Of all owners"
              description="Left out: of what is yours."
              checked={draft.isOfAll}
              error={errors.at("owner")}
              onChange={({ currentTarget }) => put({ isOfAll: currentTarget.checked })}
            />
          )}
          <ProblemView error={saving.error} shownFields={SHOWN} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={saving.isPending}>
              {rule ? "Save" : "Make the rule"}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function save(draft: RuleDraft, rule: Rule | undefined): Promise<Rule> {
  const said = bodyOf(draft);
  const to = draft.to.trim();
  if (!rule) {
    const body = { ...said, to, enabled: true, ...(draft.isOfAll && { owner: "*" as const }) };
    return ask(api.POST("/v1/notifications", { body }));
  }
  const body: Partial<Schemas["RuleChange"]> = { ...said, ...(to && { to }) };
  const params = { path: { id: rule.id } };
  return ask(api.PATCH("/v1/notifications/{id}", { params, body: body as Schemas["RuleChange"] }));
}
