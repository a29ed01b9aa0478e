import { Group, NumberInput, SegmentedControl, Select, TextInput } from "@mantine/core";
import type { FormErrors } from "../submit/errors";
import { cronInWords, freshRule, PRESETS, type Rule } from "./rules";
import classes from "./Schedules.module.css";

const ZONES = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];

interface RuleFieldsProps {
  rule: Rule;
  errors: FormErrors;
  onChange(rule: Rule): void;
}

/** When it fires: by the clock, or at an interval. */
export function RuleFields({ rule, errors, onChange }: RuleFieldsProps) {
  const isCron = rule.every == null;
  const { start = null, end = null, jitter } = rule;
  const kept = { start, end, jitter };
  return (
    <>
      <SegmentedControl
        aria-label="Kind of rule"
        value={isCron ? "cron" : "every"}
        data={[
          { value: "cron", label: "By the clock" },
          { value: "every", label: "At an interval" },
        ]}
        onChange={(kind) =>
          onChange(
            kind === "cron"
              ? { ...freshRule(), ...kept }
              : { every: 3600, time_zone: "UTC", offset: 0, ...kept },
          )
        }
      />
      {isCron ? (
        <ClockFields rule={rule} errors={errors} onChange={onChange} />
      ) : (
        <IntervalFields rule={rule} errors={errors} onChange={onChange} />
      )}
    </>
  );
}

function ClockFields({ rule, errors, onChange }: RuleFieldsProps) {
  const cron = rule.cron ?? "";
  return (
    <>
      <Select
        label="How often"
        placeholder="As the expression says"
        data={PRESETS.map((value) => ({ value, label: cronInWords(value) }))}
        value={PRESETS.find((each) => each === cron) ?? null}
        onChange={(next) => next && onChange({ ...rule, cron: next })}
      />
      <Group grow align="flex-start">
        <TextInput
          label="Cron"
          description="Minute, hour, day, month, day of week"
          value={cron}
          error={errors.at("rule.cron")}
          classNames={{ input: classes.mono }}
          spellCheck={false}
          onChange={({ currentTarget }) => onChange({ ...rule, cron: currentTarget.value })}
        />
        <Select
          label="Time zone"
          description="In which that is meant"
          data={ZONES.includes(rule.time_zone) ? ZONES : [rule.time_zone, ...ZONES]}
          value={rule.time_zone}
          searchable
          allowDeselect={false}
          error={errors.at("rule.time_zone")}
          onChange={(zone) => onChange({ ...rule, time_zone: zone ?? "UTC" })}
        />
      </Group>
    </>
  );
}

function IntervalFields({ rule, errors, onChange }: RuleFieldsProps) {
  const seconds = (name: "every" | "offset") => ({
    value: rule[name] ?? "",
    clampBehavior: "none" as const,
    allowDecimal: false,
    error: errors.at(`rule.${name}`),
    onChange: (value: number | string) => onChange({ ...rule, [name]: Number(value) }),
  });
  return (
    <Group grow align="flex-start">
      <NumberInput label="Every" description="Seconds from one to the next" {...seconds("every")} />
      <NumberInput label="Offset" description="Seconds after its grid" {...seconds("offset")} />
    </Group>
  );
}
