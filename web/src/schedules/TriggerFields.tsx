import { Group, NumberInput, PasswordInput, Select, Textarea, TextInput } from "@mantine/core";
import type { Schemas } from "../api/types";
import type { FormErrors } from "../submit/errors";
import type { TriggerDraft } from "./triggerDraft";

const TOKEN = "token";
const PROOFS = [
  { value: TOKEN, label: "A token in the address" },
  { value: "github", label: "Signatures as of GitHub, Gitea, Forgejo" },
  { value: "standard_webhooks", label: "Signatures as of Standard Webhooks" },
];

interface TriggerFieldsProps {
  draft: TriggerDraft;
  errors: FormErrors;
  /** Only then it is chosen how senders prove who they are: later that is a rotation. */
  isNew: boolean;
  onChange(part: Partial<TriggerDraft>): void;
}

/** What a trigger is, but for what it submits. */
export function TriggerFields({ draft, errors, isNew, onChange }: TriggerFieldsProps) {
  return (
    <>
      <TextInput
        label="Name"
        required
        data-autofocus
        value={draft.name}
        error={errors.at("name")}
        onChange={({ currentTarget }) => onChange({ name: currentTarget.value })}
      />
      {isNew && <ProofFields draft={draft} errors={errors} onChange={onChange} />}
      <Group grow align="flex-start">
        <TextInput
          label="Input of all that is posted"
          description="Left empty: each key of it is an input."
          value={draft.payloadInput}
          error={errors.at("payload_input")}
          onChange={({ currentTarget }) => onChange({ payloadInput: currentTarget.value })}
        />
        <NumberInput
          label="Most in a minute"
          description="What is more has to wait."
          value={draft.maxPerMinute}
          clampBehavior="none"
          allowDecimal={false}
          error={errors.at("max_per_minute")}
          onChange={(maxPerMinute) => onChange({ maxPerMinute })}
        />
      </Group>
      <Group grow align="flex-start">
        <Textarea
          label="Note"
          autosize
          value={draft.note}
          error={errors.at("note")}
          onChange={({ currentTarget }) => onChange({ note: currentTarget.value })}
        />
        <Textarea
          label="Labels"
          placeholder="key=value, one a line"
          autosize
          value={draft.labels}
          error={errors.at("labels")}
          onChange={({ currentTarget }) => onChange({ labels: currentTarget.value })}
        />
      </Group>
    </>
  );
}

function ProofFields({ draft, errors, onChange }: Omit<TriggerFieldsProps, "isNew">) {
  return (
    <>
      <Select
        label="Who posts is known by"
        data={PROOFS}
        value={draft.signature ?? TOKEN}
        allowDeselect={false}
        error={errors.at("signature")}
        onChange={(value) => onChange({ signature: isSignature(value) ? value : null })}
      />
      {draft.signature && (
        <PasswordInput
          label="Their secret"
          description="Left empty: a new one is made, and shown once."
          autoComplete="new-password"
          value={draft.secret}
          error={errors.at("secret")}
          onChange={({ currentTarget }) => onChange({ secret: currentTarget.value })}
        />
      )}
    </>
  );
}

function isSignature(value: string | null): value is Schemas["Signature"] {
  return value === "github" || value === "standard_webhooks";
}
