import { CloseButton, TextInput } from "@mantine/core";
import { useState } from "react";

interface OwnerFilterProps {
  owner: string | undefined;
  /** Whose it is while nobody is named. */
  placeholder?: string;
  /** The name that was typed, `undefined` for none. */
  onChange: (owner: string | undefined) => void;
}

/** Whose, as somebody types it: it counts when they press Enter or leave it. */
export function OwnerFilter({ owner, placeholder = "Of all owners", onChange }: OwnerFilterProps) {
  const [typed, setTyped] = useState(owner ?? "");
  const settle = (text: string) => {
    const next = text.trim() || undefined;
    if (next !== owner) onChange(next);
  };
  return (
    <TextInput
      aria-label="Owner"
      placeholder={placeholder}
      value={typed}
      w="13rem"
      maxLength={255}
      onChange={({ currentTarget: { value } }) => setTyped(value)}
      onBlur={() => settle(typed)}
      onKeyDown={({ key }) => key === "Enter" && settle(typed)}
      rightSection={
        typed && (
          <CloseButton
            size="sm"
            aria-label="Clear the owner"
            onClick={() => {
              setTyped("");
              settle("");
            }}
          />
        )
      }
    />
  );
}
