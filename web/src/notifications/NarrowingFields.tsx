import { Group, TagsInput, Textarea } from "@mantine/core";
import type { FormErrors } from "../submit/errors";
import type { RuleDraft } from "./draft";

interface NarrowingFieldsProps {
  draft: RuleDraft;
  errors: FormErrors;
  onChange(part: Partial<RuleDraft>): void;
}

/** Of what something is said. */
export function NarrowingFields({ draft, errors, onChange }: NarrowingFieldsProps) {
  return (
    <>
      <Group grow align="flex-start">
        <TagsInput
          label="Only in these pools"
          value={draft.pools}
          error={errors.at("pools")}
          onChange={(pools) => onChange({ pools })}
        />
        <TagsInput
          label="Only of these methods"
          value={draft.methods}
          error={errors.at("methods")}
          onChange={(methods) => onChange({ methods })}
        />
      </Group>
      <Textarea
        label="Only with these labels"
        description="One key=value a line: all of them."
        autosize
        minRows={1}
        maxRows={6}
        value={draft.labels}
        error={errors.at("labels")}
        onChange={({ currentTarget }) => onChange({ labels: currentTarget.value })}
      />
    </>
  );
}
