import { Group, NumberInput } from "@mantine/core";
import { DateTimePicker } from "@mantine/dates";
import "@mantine/dates/styles.css";
import type { FormErrors } from "../submit/errors";
import type { Rule } from "./rules";

interface BoundFieldsProps {
  rule: Rule;
  errors: FormErrors;
  onChange(rule: Rule): void;
}

/** From when to when a rule holds, and by how much its firings are spread. */
export function BoundFields({ rule, errors, onChange }: BoundFieldsProps) {
  const moment = (name: "start" | "end") => {
    const at = rule[name];
    return {
      value: at ? new Date(at) : null,
      clearable: true,
      error: errors.at(`rule.${name}`),
      onChange: (next: string | Date | null) =>
        onChange({ ...rule, [name]: next ? new Date(next).toISOString() : null }),
    };
  };
  return (
    <Group grow align="flex-start">
      <DateTimePicker label="From" description="Left empty: at once" {...moment("start")} />
      <DateTimePicker label="Until" description="Left empty: for ever" {...moment("end")} />
      <NumberInput
        label="Later by up to"
        description="Seconds, each by its own"
        value={rule.jitter}
        clampBehavior="none"
        allowDecimal={false}
        error={errors.at("rule.jitter")}
        onChange={(jitter) => onChange({ ...rule, jitter: Number(jitter) })}
      />
    </Group>
  );
}
