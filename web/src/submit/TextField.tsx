import { Textarea, TextInput } from "@mantine/core";
import { spelled } from "./fields";
import { useBound } from "./form";
import classes from "./Submit.module.css";

interface TextFieldProps {
  path: string;
  label: string;
  description?: string;
  placeholder?: string;
  required?: boolean;
  mono?: boolean;
  /** Several lines. */
  long?: boolean;
}

/** A text of the submission. */
export function TextField({
  path,
  label,
  description,
  placeholder,
  required = false,
  mono,
  long,
}: TextFieldProps) {
  const { id, value, preset, error, set } = useBound(path);
  const byDefault = preset == null ? placeholder : `${spelled(preset)} (by default)`;
  const props = {
    id,
    label,
    description,
    error,
    withAsterisk: required,
    placeholder: byDefault,
    className: mono ? classes.mono : undefined,
    value: spelled(value ?? ""),
    onChange: ({ currentTarget }: { currentTarget: { value: string } }) =>
      set(currentTarget.value || undefined),
  };
  if (long) return <Textarea {...props} autosize minRows={2} maxRows={8} />;
  return <TextInput {...props} spellCheck={false} autoCapitalize="off" />;
}
