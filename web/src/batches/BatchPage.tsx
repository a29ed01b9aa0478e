import { Group, Paper, Skeleton, Stack, Text, UnstyledButton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import type { Execution, Status } from "../api/types";
import { useExecutionList } from "../executions/list";
import { Page } from "../layout/Page";
import { CopyButton } from "../ui/CopyButton";
import { DataTable } from "../ui/DataTable";
import { Fact, FactList } from "../ui/Fact";
import { TextLink } from "../ui/IdLink";
import { Labels } from "../ui/Labels";
import { Note } from "../ui/Note";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { StatusBadge } from "../ui/StatusBadge";
import { STATUS } from "../ui/statuses";
import { BatchActions } from "./BatchActions";
import { BatchBar } from "./BatchBar";
import classes from "./Batches.module.css";
import { ChildCard } from "./ChildCard";
import { childColumns } from "./childColumns";
import { NeedsPanel } from "./NeedsPanel";
import { type Batch, batchQuery, useFreshBatches } from "./queries";
import { sharesOf } from "./shares";
import { varying } from "./varying";

const route = getRouteApi("/shell/batches/$id");

/** One batch: how its children stand, each of them, who needs whom, and what can be done with all. */
export function BatchPage() {
  const { id } = route.useParams();
  const query = useQuery(batchQuery(id));
  const batch = query.data;
  useFreshBatches(batch?.finished_at != null);
  if (!batch)
    return (
      <Page title="Batch">
        {query.error ? <ProblemView error={query.error} /> : <Skeleton h={240} radius="md" />}
      </Page>
    );
  return (
    <Page
      title={batch.name ?? `Batch …${id.slice(-8)}`}
      lead={
        <Group gap="xs">
          <StatusBadge status={batch.status} />
          <Text component="span" c="dimmed" fz="sm" className="tabular">
            {batch.progress.ended} of {batch.progress.total} have ended
          </Text>
          <CopyButton value={id} what="Copy the id" />
        </Group>
      }
      actions={<BatchActions batch={batch} />}
    >
      <ProblemView error={query.error} />
      <Overview batch={batch} />
      <NeedsPanel batch={batch} />
      <Children batch={batch} />
    </Page>
  );
}

function Overview({ batch }: { batch: Batch }) {
  return (
    <Paper withBorder radius="md" p="md" component="section" aria-label="How it stands">
      <Stack gap="md">
        <BatchBar progress={batch.progress} tall />
        {batch.delete_requested_at && (
          <Note>It is being deleted, since {batch.delete_requested_by} asked for it.</Note>
        )}
        {batch.stop && <Note title="Nothing more of it starts">{batch.stop.message}</Note>}
        {batch.note && <Text style={{ whiteSpace: "pre-line" }}>{batch.note}</Text>}
        <Facts batch={batch} />
      </Stack>
    </Paper>
  );
}

function Facts({ batch }: { batch: Batch }) {
  const { rerun_of } = batch.lineage;
  return (
    <FactList>
      <Fact name="Accepted">
        <RelativeTime at={batch.created_at} />
      </Fact>
      <Fact name="Finished">
        <RelativeTime at={batch.finished_at} />
      </Fact>
      <Fact name="Owner">{batch.owner}</Fact>
      <Fact name="At once">{batch.max_parallel ?? "As many as there are slots"}</Fact>
      <Fact name="When one fails">{batch.fail_fast ? "The others are canceled" : "The others go on"}</Fact>
      {rerun_of && (
        <Fact name="Again from">
          <TextLink to="/batches/$id" params={{ id: rerun_of }}>
            …{rerun_of.slice(-8)}
          </TextLink>
        </Fact>
      )}
      {Object.keys(batch.labels).length > 0 && (
        <Fact name="Labels">
          <Labels labels={batch.labels} />
        </Fact>
      )}
    </FactList>
  );
}

function Children({ batch }: { batch: Batch }) {
  const [status, setStatus] = useState<Status | null>(null);
  const search = useMemo(
    () => ({ batch: batch.id, sort: "created" as const, ...(status ? { status: [status] } : {}) }),
    [batch.id, status],
  );
  const list = useExecutionList("live", search);
  const rows = useMemo(() => [...list.rows].sort((one, other) => placeOf(one) - placeOf(other)), [list.rows]);
  const names = useMemo(() => varying(rows.map(({ inputs }) => inputs)), [rows]);
  const columns = useMemo(() => childColumns(rows, names), [rows, names]);
  const shares = sharesOf(batch.progress.by_status, batch.progress.total);
  return (
    <Stack gap="sm" component="section" aria-label="Children">
      <fieldset
        className={classes.counts}
        style={{ border: 0, margin: 0, padding: 0 }}
        aria-label="By status"
      >
        <UnstyledButton
          className={classes.count}
          aria-pressed={status === null}
          onClick={() => setStatus(null)}
        >
          All <b className="tabular">{batch.progress.total}</b>
        </UnstyledButton>
        {shares.map(({ status: each, count }) => (
          <UnstyledButton
            key={each}
            className={classes.count}
            style={{ "--status": `var(--status-${each})` }}
            aria-pressed={status === each}
            onClick={() => setStatus(status === each ? null : each)}
          >
            <i aria-hidden />
            {STATUS[each].word} <b className="tabular">{count}</b>
          </UnstyledButton>
        ))}
      </fieldset>
      <ProblemView error={list.error} />
      <DataTable
        label="Children of the batch"
        rows={rows}
        columns={columns}
        rowKey={({ id }) => id}
        card={(child) => <ChildCard child={child} names={names} />}
        cardHeight={96}
        height="34rem"
        onEnd={list.hasNextPage && !list.isFetchingNextPage ? () => void list.fetchNextPage() : undefined}
        empty={
          <Text c="dimmed" fz="sm" p="md">
            {list.isPending ? "Looking …" : "There is none. What is archived is not shown here."}
          </Text>
        }
      />
    </Stack>
  );
}

function placeOf({ lineage }: Execution): number {
  return lineage.batch?.index ?? 0;
}
