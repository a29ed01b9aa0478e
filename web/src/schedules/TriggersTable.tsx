import { Skeleton, Stack, Text } from "@mantine/core";
import { IconBolt } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { type Column, DataTable } from "../ui/DataTable";
import { EmptyState } from "../ui/EmptyState";
import { TextLink } from "../ui/IdLink";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { StateMark } from "../ui/StateMark";
import { TRIGGERS, type Trigger, triggersQuery, useFresh } from "./queries";
import { targetOf } from "./targets";

const COLUMNS: Column<Trigger>[] = [
  {
    id: "state",
    title: "State",
    width: 110,
    cell: ({ enabled }) => (
      <StateMark tone={enabled ? "good" : "idle"}>{enabled ? "Enabled" : "Paused"}</StateMark>
    ),
  },
  { id: "name", title: "Name", width: 220, cell: (trigger) => <NameLink trigger={trigger} /> },
  { id: "target", title: "Submits", width: 260, cell: ({ target }) => targetOf(target) },
  {
    id: "signed",
    title: "Proved by",
    width: 150,
    cell: ({ signature }) => signature ?? "token in the address",
  },
  {
    id: "used",
    title: "Last used",
    width: 120,
    cell: ({ last_used_at }) => <RelativeTime at={last_used_at} />,
  },
  { id: "owner", title: "Owner", width: 110, cell: ({ owner }) => owner },
];

/** Addresses to which other systems post. */
export function TriggersTable() {
  const query = useInfiniteQuery(triggersQuery);
  useFresh(TRIGGERS);
  if (query.error) return <ProblemView error={query.error} />;
  if (query.isPending) return <Skeleton h={240} radius="md" />;
  return (
    <DataTable
      label="Triggers"
      rows={query.data.pages.flatMap(({ items }) => items)}
      columns={COLUMNS}
      rowKey={({ id }) => id}
      card={(trigger) => (
        <Stack gap={4}>
          <NameLink trigger={trigger} />
          <Text fz="sm" truncate>
            {targetOf(trigger.target)}
          </Text>
          <Text component="div" fz="xs" c="dimmed">
            <RelativeTime at={trigger.last_used_at} />
          </Text>
        </Stack>
      )}
      cardHeight={92}
      onEnd={query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : undefined}
      empty={
        <EmptyState
          icon={IconBolt}
          title="No trigger yet"
          text="A trigger is an address to which another system posts JSON, and something is submitted with that."
        />
      }
    />
  );
}

function NameLink({ trigger: { id, name } }: { trigger: Trigger }) {
  return (
    <TextLink to="/triggers/$id" params={{ id }} title={name} fw={550}>
      {name}
    </TextLink>
  );
}
