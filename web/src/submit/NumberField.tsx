import { NumberInput } from "@mantine/core";
import { useBound } from "./form";

interface NumberFieldProps {
  path: string;
  label: string;
  description?: string;
  placeholder?: string;
  decimals?: boolean;
  min?: number;
  max?: number;
  suffix?: string;
}

/** A number of the submission; what is out of bounds is told by the API. */
export function NumberField({
  path,
  label,
  description,
  placeholder,
  decimals = false,
  ...rest
}: NumberFieldProps) {
  const { id, value, preset, error, set } = useBound(path);
  return (
    <NumberInput
      id={id}
      label={label}
      description={description}
      error={error}
      value={typeof value === "number" || typeof value === "string" ? value : ""}
      placeholder={preset == null ? placeholder : `${preset} (by default)`}
      clampBehavior="none"
      allowDecimal={decimals}
      onChange={(said) => set(said === "" ? undefined : said)}
      {...rest}
    />
  );
}
