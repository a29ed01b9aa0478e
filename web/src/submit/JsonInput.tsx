import { Textarea } from "@mantine/core";
import { useState } from "react";
import { useBlock } from "./form";
import type { Json } from "./json";
import classes from "./Submit.module.css";

interface JsonInputProps {
  id: string;
  label: string;
  description?: string | undefined;
  placeholder?: string | undefined;
  required?: boolean | undefined;
  error?: string | undefined;
  value: Json | undefined;
  onChange(value: Json | undefined): void;
}

/** A value as JSON, by hand. While it is none, the form is not sent. */
export function JsonInput({ id, label, required = false, error, value, onChange, ...rest }: JsonInputProps) {
  const [text, setText] = useState(value === undefined ? "" : JSON.stringify(value, null, 2));
  const wrong = reasonOf(text);
  useBlock(id, wrong && `${label}: this is no JSON.`);

  function change(written: string): void {
    setText(written);
    if (reasonOf(written) === null) onChange(written.trim() ? (JSON.parse(written) as Json) : undefined);
  }

  return (
    <Textarea
      id={id}
      className={classes.mono}
      label={label}
      withAsterisk={required}
      error={wrong ?? error}
      value={text}
      onChange={(event) => change(event.currentTarget.value)}
      autosize
      minRows={2}
      maxRows={16}
      spellCheck={false}
      {...rest}
    />
  );
}

/** Why a text is no JSON; null if it is some, or empty. */
function reasonOf(text: string): string | null {
  if (!text.trim()) return null;
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : "It is no JSON.";
  }
}
