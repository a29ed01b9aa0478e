import { Textarea } from "@mantine/core";
import classes from "./Schedules.module.css";
import { parsed } from "./targets";

interface TargetsFieldProps {
  label: string;
  description: string;
  /** Whether there is something already, of which secrets are not shown. */
  isChange: boolean;
  value: string;
  error: string | undefined;
  onChange(value: string): void;
}

/** What is submitted, as JSON by hand. */
export function TargetsField({ isChange, description, value, error, onChange, label }: TargetsFieldProps) {
  return (
    <Textarea
      label={label}
      description={
        isChange
          ? "Variables and secrets are shown as ***: to change anything here, say them again."
          : description
      }
      autosize
      minRows={8}
      maxRows={30}
      spellCheck={false}
      classNames={{ input: classes.mono }}
      value={value}
      error={parsed(value) === undefined ? "This is no JSON." : error}
      onChange={({ currentTarget }) => onChange(currentTarget.value)}
    />
  );
}
