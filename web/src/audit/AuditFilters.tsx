import { Autocomplete, Button, Group, Popover, SegmentedControl, Stack, TextInput } from "@mantine/core";
import { DateTimePicker } from "@mantine/dates";
import "@mantine/dates/styles.css";
import { useDisclosure } from "@mantine/hooks";
import { IconFilter } from "@tabler/icons-react";
import { type FormEvent, useState } from "react";
import { type AuditSearch, NAMES, readSearch } from "./search";

interface AuditFiltersProps {
  search: AuditSearch;
  /** Operations that are known here. */
  actions: readonly string[];
  onChange: (search: AuditSearch) => void;
}

/** Everything that the log can be narrowed to. */
export function AuditFilters({ search, actions, onChange }: AuditFiltersProps) {
  const [opened, { toggle, close }] = useDisclosure();
  return (
    <Popover opened={opened} onDismiss={close} width={420} position="bottom-start" shadow="md" trapFocus>
      <Popover.Target>
        <Button
          variant="default"
          leftSection={<IconFilter size={16} />}
          onClick={toggle}
          aria-expanded={opened}
        >
          Filter
        </Button>
      </Popover.Target>
      <Popover.Dropdown maw="calc(100vw - 1.5rem)">
        <Fields
          search={search}
          actions={actions}
          onChange={(next) => {
            close();
            onChange(next);
          }}
        />
      </Popover.Dropdown>
    </Popover>
  );
}

const OUTCOMES = [
  { value: "all", label: "All" },
  { value: "false", label: "Done" },
  { value: "true", label: "Refused" },
];

function Fields({ search, actions, onChange }: AuditFiltersProps) {
  const [draft, setDraft] = useState<AuditSearch>(search);
  const put = (name: keyof AuditSearch, value: string | boolean | undefined) =>
    setDraft(readSearch({ ...draft, [name]: value }));
  const text = (name: "actor" | "owner" | "object" | "token", placeholder: string) => ({
    label: NAMES[name],
    placeholder,
    value: draft[name] ?? "",
    onChange: ({ currentTarget: { value } }: FormEvent<HTMLInputElement>) => put(name, value),
  });
  const moment = (name: "since" | "until") => ({
    label: NAMES[name],
    value: draft[name] ? new Date(draft[name]) : null,
    clearable: true,
    popoverProps: { withinPortal: false },
    onChange: (at: string | Date | null) => put(name, at ? new Date(at).toISOString() : undefined),
  });
  return (
    <form
      aria-label="Filters of the audit log"
      onSubmit={(event) => {
        event.preventDefault();
        onChange(draft);
      }}
    >
      <Stack gap="xs">
        <Group grow align="flex-start">
          <TextInput {...text("actor", "ann")} data-autofocus />
          <TextInput {...text("owner", "ann")} />
        </Group>
        <Autocomplete
          label={NAMES.action}
          placeholder="cancel_execution"
          data={[...actions].sort()}
          comboboxProps={{ withinPortal: false }}
          value={draft.action ?? ""}
          onChange={(action) => put("action", action)}
        />
        <TextInput {...text("object", "methods/train")} />
        <TextInput {...text("token", "the id of a token")} />
        <Group grow align="flex-start">
          <DateTimePicker {...moment("since")} />
          <DateTimePicker {...moment("until")} />
        </Group>
        <SegmentedControl
          aria-label="Outcome"
          data={OUTCOMES}
          value={draft.refused === undefined ? "all" : String(draft.refused)}
          onChange={(value) => put("refused", value === "all" ? undefined : value === "true")}
        />
        <Group justify="flex-end">
          <Button type="submit">Show</Button>
        </Group>
      </Stack>
    </form>
  );
}
