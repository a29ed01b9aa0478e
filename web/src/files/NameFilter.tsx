import { TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";

const TYPED_FOR = 300;

interface NameFilterProps {
  name: string | undefined;
  onChange(name: string): void;
}

/** The beginning of a name, as somebody types it. */
export function NameFilter({ name, onChange }: NameFilterProps) {
  const [typed, setTyped] = useState(name ?? "");
  const apply = useDebouncedCallback((text: string) => onChange(text.trim()), TYPED_FOR);
  return (
    <TextInput
      maw="24rem"
      aria-label="The beginning of a name"
      placeholder="The beginning of a name"
      leftSection={<IconSearch size={16} aria-hidden />}
      maxLength={255}
      value={typed}
      onChange={({ currentTarget }) => {
        setTyped(currentTarget.value);
        apply(currentTarget.value);
      }}
    />
  );
}
