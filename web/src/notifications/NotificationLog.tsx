import { Group, Skeleton, Stack, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { type Column, DataTable } from "../ui/DataTable";
import { IdLink, TextLink } from "../ui/IdLink";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { StateMark } from "../ui/StateMark";
import { logQuery } from "./queries";
import { KINDS, type Notification, type Rule, STATES } from "./telling";

const COLUMNS: Column<Notification>[] = [
  { id: "at", title: "When", width: 110, cell: ({ created_at }) => <RelativeTime at={created_at} /> },
  { id: "state", title: "What came of it", width: 140, cell: (said) => <State said={said} /> },
  {
    id: "title",
    title: "What was said",
    width: 330,
    cell: ({ title }) => <span title={title}>{title}</span>,
  },
  { id: "kind", title: "Why", width: 140, cell: ({ kind }) => KINDS[kind] },
  { id: "of", title: "Of what", width: 130, cell: (said) => <Subject said={said} /> },
  {
    id: "error",
    title: "Problem",
    width: 220,
    cell: ({ error }) => <span title={error ?? ""}>{error ?? "–"}</span>,
  },
];

/** What a rule has said, the newest first, and whether it arrived. */
export function NotificationLog({ rule }: { rule: Rule }) {
  const query = useInfiniteQuery(logQuery(rule.id));
  if (query.error) return <ProblemView error={query.error} />;
  if (query.isPending) return <Skeleton h={160} radius="md" />;
  return (
    <DataTable
      label="What was said"
      rows={query.data.pages.flatMap(({ items }) => items)}
      columns={COLUMNS}
      rowKey={({ id }) => id}
      card={(said) => <NotificationCard said={said} />}
      cardHeight={104}
      onEnd={query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : undefined}
      empty={<Text c="dimmed">Nothing was said yet: send a test.</Text>}
    />
  );
}

function State({ said: { state, tries } }: { said: Notification }) {
  const { word, tone } = STATES[state];
  const why =
    state === "unsure"
      ? "A worker died over it: it may have arrived, and is not sent again."
      : `Tries: ${tries}`;
  return (
    <span title={why}>
      <StateMark tone={tone}>{word}</StateMark>
    </span>
  );
}

function Subject({ said: { execution, batch } }: { said: Notification }) {
  if (execution) return <IdLink id={execution} />;
  if (!batch) return <span>–</span>;
  return (
    <TextLink to="/batches/$id" params={{ id: batch }}>
      batch …{batch.slice(-8)}
    </TextLink>
  );
}

function NotificationCard({ said }: { said: Notification }) {
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <State said={said} />
        <Text component="div" fz="xs" c="dimmed">
          <RelativeTime at={said.created_at} />
        </Text>
      </Group>
      <Text fz="sm" truncate>
        {said.title}
      </Text>
      <Text component="div" fz="xs" c="dimmed" truncate>
        {said.error ?? <Subject said={said} />}
      </Text>
    </Stack>
  );
}
