import { Select } from "@mantine/core";
import { useBound } from "./form";

interface ChoiceFieldProps {
  path: string;
  label: string;
  description?: string;
  options: readonly { value: string; label: string }[];
  /** What it is where nothing is said. */
  byDefault: string;
}

/** One of a few words. */
export function ChoiceField({ path, label, description, options, byDefault }: ChoiceFieldProps) {
  const { id, value, preset, error, set } = useBound(path);
  const fallback = options.find((option) => option.value === (preset ?? byDefault));
  return (
    <Select
      id={id}
      label={label}
      description={description}
      error={error}
      data={options}
      placeholder={`${fallback?.label ?? byDefault} (by default)`}
      value={typeof value === "string" ? value : null}
      clearable={value !== undefined}
      clearButtonProps={{ "aria-label": `Clear ${label}` }}
      onChange={(said) => set(said ?? undefined)}
    />
  );
}
