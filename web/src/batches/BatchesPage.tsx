import { Group, Skeleton, Stack, Text } from "@mantine/core";
import { IconPlayerPlay, IconStack2 } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Page } from "../layout/Page";
import { ButtonLink } from "../ui/ButtonLink";
import { type Column, DataTable } from "../ui/DataTable";
import { EmptyState } from "../ui/EmptyState";
import { TextLink } from "../ui/IdLink";
import { Labels } from "../ui/Labels";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { StatusBadge } from "../ui/StatusBadge";
import { BatchBar } from "./BatchBar";
import { type Batch, batchesQuery, useFreshBatches } from "./queries";

const COLUMNS: Column<Batch>[] = [
  { id: "status", title: "Status", width: 128, cell: (batch) => <StatusBadge status={batch.status} /> },
  { id: "name", title: "Name", width: 240, cell: (batch) => <BatchLink batch={batch} /> },
  { id: "progress", title: "Children", width: 240, cell: (batch) => <Progress batch={batch} /> },
  { id: "accepted", title: "Accepted", width: 120, cell: (batch) => <RelativeTime at={batch.created_at} /> },
  { id: "finished", title: "Finished", width: 120, cell: (batch) => <RelativeTime at={batch.finished_at} /> },
  { id: "owner", title: "Owner", width: 120, cell: (batch) => batch.owner },
  { id: "labels", title: "Labels", width: 220, cell: (batch) => <Labels labels={batch.labels} /> },
];

/** Submissions of many, the newest first, kept as they are. */
export function BatchesPage() {
  const query = useInfiniteQuery(batchesQuery);
  useFreshBatches();
  const rows = query.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <Page
      title="Batches"
      lead={<Text c="dimmed">Many executions that were submitted together.</Text>}
      actions={
        <ButtonLink to="/submit" leftSection={<IconPlayerPlay size={16} />}>
          Submit
        </ButtonLink>
      }
    >
      <ProblemView error={query.error} />
      {query.isPending ? (
        <Skeleton h={240} radius="md" />
      ) : (
        <DataTable
          label="Batches"
          rows={rows}
          columns={COLUMNS}
          rowKey={({ id }) => id}
          card={(batch) => <BatchCard batch={batch} />}
          cardHeight={92}
          onEnd={
            query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : undefined
          }
          empty={
            <EmptyState
              icon={IconStack2}
              title="No batch yet"
              text="Every combination of some inputs, many copies, a list, or the steps of a method: submitted with one request. The form has it under “Many at once”."
            />
          }
        />
      )}
    </Page>
  );
}

function BatchLink({ batch: { id, name } }: { batch: Batch }) {
  return (
    <TextLink to="/batches/$id" params={{ id }} title={name ?? id} fw={550}>
      {name ?? `…${id.slice(-8)}`}
    </TextLink>
  );
}

function Progress({ batch: { progress } }: { batch: Batch }) {
  return (
    <Group gap="xs" wrap="nowrap">
      <BatchBar progress={progress} />
      <Text component="span" fz="xs" c="dimmed" className="tabular" style={{ whiteSpace: "nowrap" }}>
        {progress.ended} of {progress.total}
      </Text>
    </Group>
  );
}

function BatchCard({ batch }: { batch: Batch }) {
  return (
    <Stack gap={6}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text component="div" truncate miw={0}>
          <BatchLink batch={batch} />
        </Text>
        <StatusBadge status={batch.status} />
      </Group>
      <Progress batch={batch} />
      <Text component="div" fz="xs" c="dimmed">
        <RelativeTime at={batch.created_at} />
      </Text>
    </Stack>
  );
}
