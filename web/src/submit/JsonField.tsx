import { useBound } from "./form";
import { JsonInput } from "./JsonInput";

interface JsonFieldProps {
  path: string;
  label: string;
  description?: string | undefined;
  placeholder?: string | undefined;
  required?: boolean;
}

/** A field of the submission as JSON. */
export function JsonField({ path, ...rest }: JsonFieldProps) {
  const { id, value, error, set } = useBound(path);
  return <JsonInput id={id} value={value} error={error} onChange={set} {...rest} />;
}
