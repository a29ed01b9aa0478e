import { Group, MultiSelect, NumberInput, SegmentedControl, Select, TextInput } from "@mantine/core";
import { type Cause, TERMINAL } from "../api/types";
import type { FormErrors } from "../submit/errors";
import { CAUSE, STATUS } from "../ui/statuses";
import type { RuleDraft } from "./draft";
import type { End, What } from "./telling";

const WHATS: { value: What; label: string }[] = [
  { value: "ends", label: "Every end" },
  { value: "streaks", label: "Failures in a row" },
  { value: "batches", label: "Batches" },
];
const PERS = [
  { value: "name", label: "Name" },
  { value: "method", label: "Method" },
  { value: "label", label: "Label" },
];

interface FieldsProps {
  draft: RuleDraft;
  errors: FormErrors;
  onChange(part: Partial<RuleDraft>): void;
}

/** When something is said. */
export function WhenFields({ draft, errors, onChange }: FieldsProps) {
  return (
    <>
      <SegmentedControl
        size="xs"
        aria-label="When something is said"
        data={WHATS}
        value={draft.what}
        onChange={(what) => onChange({ what: what as What })}
      />
      {draft.what === "streaks" ? (
        <StreakFields draft={draft} errors={errors} onChange={onChange} />
      ) : (
        <MultiSelect
          label="Which ends"
          data={TERMINAL.map((value) => ({ value, label: STATUS[value].word }))}
          value={draft.statuses}
          error={errors.at("statuses")}
          onChange={(chosen) => onChange({ statuses: TERMINAL.filter((end: End) => chosen.includes(end)) })}
        />
      )}
      {draft.what !== "batches" && (
        <MultiSelect
          label="Only by these causes"
          placeholder={draft.causes.length === 0 ? "Any" : ""}
          data={Object.entries(CAUSE).map(([value, label]) => ({ value, label }))}
          searchable
          value={draft.causes}
          error={errors.at("causes")}
          onChange={(chosen) => onChange({ causes: chosen as Cause[] })}
        />
      )}
    </>
  );
}

function StreakFields({ draft, errors, onChange }: FieldsProps) {
  return (
    <Group grow align="flex-start">
      <NumberInput
        label="How many in a row"
        description="And when one succeeds again"
        value={draft.alertAfter}
        clampBehavior="none"
        allowDecimal={false}
        error={errors.at("alert_after")}
        onChange={(alertAfter) => onChange({ alertAfter })}
      />
      <Select
        label="Of the same"
        description="What counts as alike"
        data={PERS}
        allowDeselect={false}
        value={draft.per}
        error={draft.per === "label" ? undefined : errors.at("per")}
        onChange={(per) => onChange({ per: per as RuleDraft["per"] })}
      />
      {draft.per === "label" && (
        <TextInput
          label="Key of the label"
          description="Its value is compared"
          required
          value={draft.perLabel}
          error={errors.at("per")}
          onChange={({ currentTarget }) => onChange({ perLabel: currentTarget.value })}
        />
      )}
    </Group>
  );
}
