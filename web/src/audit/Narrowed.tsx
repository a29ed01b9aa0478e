import { Button, Group, Pill } from "@mantine/core";
import { type AuditSearch, changed, NAMES, spellFilter } from "./search";

interface NarrowedProps {
  search: AuditSearch;
  onChange: (search: AuditSearch) => void;
}

/** What the log is narrowed to, each to be taken away. */
export function Narrowed({ search, onChange }: NarrowedProps) {
  const filters = Object.entries(search) as [keyof AuditSearch, string | boolean][];
  if (filters.length === 0) return null;
  return (
    <Group gap={6}>
      {filters.map(([name, value]) => (
        <Pill
          key={name}
          withRemoveButton
          removeButtonProps={{ "aria-label": `Remove ${NAMES[name]}`, "aria-hidden": false, tabIndex: 0 }}
          onRemove={() => onChange(changed(search, { [name]: undefined }))}
        >
          {NAMES[name]}: {spellFilter(name, value)}
        </Pill>
      ))}
      <Button size="compact-xs" variant="subtle" onClick={() => onChange({})}>
        Clear
      </Button>
    </Group>
  );
}
