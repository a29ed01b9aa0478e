import { Button, Group, NativeSelect, Pill, Popover, SimpleGrid, TagsInput, TextInput } from "@mantine/core";
import { DateTimePicker } from "@mantine/dates";
import "@mantine/dates/styles.css";
import { useDebouncedCallback, useDisclosure } from "@mantine/hooks";
import { IconFilter, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, ask } from "../api/client";
import { useMay } from "../session/session";
import { type ListSearch, NEWEST_FIRST, readSearch } from "./search";

interface FiltersProps {
  search: ListSearch;
  onChange: (search: ListSearch) => void;
}

const TYPED_FOR = 300;

/** Words to search for, and everything else that a list can be narrowed to. */
export function Filters({ search, onChange }: FiltersProps) {
  const [opened, { toggle, close }] = useDisclosure();
  return (
    <Group gap="xs" flex="1 1 20rem">
      <Words search={search} onChange={onChange} />
      <Popover opened={opened} onDismiss={close} width={560} position="bottom-start" shadow="md" trapFocus>
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
          <More search={search} onChange={onChange} />
        </Popover.Dropdown>
      </Popover>
    </Group>
  );
}

/** What a list is narrowed to besides words and statuses, each to be taken away. */
export function Narrowed({ search, onChange }: FiltersProps) {
  const { q: _, status: __, sort: ___, ...others } = search;
  const pills = Object.entries(others).flatMap(([name, value]) =>
    [value].flat().map((each) => ({ name: name as keyof typeof others, value: each })),
  );
  if (pills.length === 0) return null;
  return (
    <Group gap={6}>
      {pills.map(({ name, value }) => (
        <Pill
          key={`${name} ${value}`}
          withRemoveButton
          removeButtonProps={{
            "aria-label": `Remove ${NAMES[name]} ${value}`,
            "aria-hidden": false,
            tabIndex: 0,
          }}
          onRemove={() => {
            const own = search[name];
            const left = Array.isArray(own) ? own.filter((each) => each !== value) : undefined;
            onChange({ ...search, [name]: left?.length ? left : undefined });
          }}
        >
          {NAMES[name]}: {said(value)}
        </Pill>
      ))}
      <Button size="compact-xs" variant="subtle" onClick={() => onChange({ sort: search.sort })}>
        Clear
      </Button>
    </Group>
  );
}

const NAMES: Record<Exclude<keyof ListSearch, "q" | "status" | "sort">, string> = {
  cause: "Cause",
  method: "Method",
  pool: "Pool",
  owner: "Owner",
  label: "Label",
  source: "Source",
  image: "Image",
  batch: "Batch",
  schedule: "Schedule",
  rerun_of: "Run again from",
  resumed_from: "Gone on from",
  created_after: "Accepted after",
  created_before: "Accepted before",
  finished_after: "Finished after",
  finished_before: "Finished before",
  min_duration: "Ran at least (s)",
  max_duration: "Ran at most (s)",
  has_warnings: "Warnings",
};

/** The same as by the heads of columns, which a narrow screen has not. */
const ORDERS = [
  { value: "-created", label: "Newest first" },
  { value: "created", label: "Oldest first" },
  { value: "-finished", label: "Ended last, first" },
  { value: "finished", label: "Ended first, first" },
  { value: "-duration", label: "Longest first" },
  { value: "duration", label: "Shortest first" },
];

function said(value: string | number | boolean | undefined): string {
  if (typeof value === "boolean") return value ? "some" : "none";
  const text = String(value);
  return /^\d{4}-\d\d-\d\dT/.test(text) ? new Date(text).toLocaleString() : text;
}

function Words({ search, onChange }: FiltersProps) {
  const [words, setWords] = useState(search.q ?? "");
  useEffect(() => setWords(search.q ?? ""), [search.q]);
  const apply = useDebouncedCallback(
    (q: string) => onChange({ ...search, q: q.trim() || undefined }),
    TYPED_FOR,
  );
  return (
    <TextInput
      flex={1}
      miw="10rem"
      maw="24rem"
      aria-label="Words of name, note or labels, or the begin of an id"
      placeholder="Name, note, label or id"
      leftSection={<IconSearch size={16} aria-hidden />}
      value={words}
      maxLength={200}
      onChange={({ currentTarget }) => {
        setWords(currentTarget.value);
        apply(currentTarget.value);
      }}
    />
  );
}

function More({ search, onChange }: FiltersProps) {
  const isAdmin = useMay("admin");
  const pools = useQuery({
    queryKey: ["pools"],
    queryFn: ({ signal }) => ask(api.GET("/v1/pools", { signal })),
  });
  const listed = (name: "pool" | "method" | "owner" | "label" | "source" | "cause") => ({
    label: NAMES[name],
    value: search[name] ?? [],
    onChange: (values: string[]) => onChange({ ...search, [name]: values.length > 0 ? values : undefined }),
  });
  const moment = (name: "created_after" | "created_before" | "finished_after" | "finished_before") => ({
    label: NAMES[name],
    value: search[name] ? new Date(search[name]) : null,
    clearable: true,
    popoverProps: { withinPortal: false },
    onChange: (at: string | Date | null) =>
      onChange({ ...search, [name]: at ? new Date(at).toISOString() : undefined }),
  });
  return (
    <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm" verticalSpacing="xs">
      <TagsInput {...listed("method")} placeholder="name or name@1.2.0" data-autofocus />
      <TagsInput
        {...listed("pool")}
        data={pools.data?.items.map(({ name }) => name) ?? []}
        comboboxProps={{ withinPortal: false }}
      />
      {isAdmin && <TagsInput {...listed("owner")} />}
      <TagsInput {...listed("label")} placeholder="team=a, or team" />
      <TextInput
        label="Image"
        placeholder="python:3.12-slim, or team/*"
        defaultValue={search.image ?? ""}
        onBlur={({ currentTarget }) =>
          onChange({ ...search, image: currentTarget.value.trim() || undefined })
        }
      />
      <NativeSelect
        label="Order"
        data={ORDERS}
        value={search.sort ?? NEWEST_FIRST}
        onChange={({ currentTarget }) => onChange(readSearch({ ...search, sort: currentTarget.value }))}
      />
      <DateTimePicker {...moment("created_after")} />
      <DateTimePicker {...moment("created_before")} />
      <DateTimePicker {...moment("finished_after")} />
      <DateTimePicker {...moment("finished_before")} />
    </SimpleGrid>
  );
}
