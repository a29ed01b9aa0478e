import { Group, Paper, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Page } from "../layout/Page";
import { type Column, DataTable } from "../ui/DataTable";
import { Fact, FactList } from "../ui/Fact";
import { JsonView } from "../ui/JsonView";
import { Labels } from "../ui/Labels";
import { Note } from "../ui/Note";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { StateMark } from "../ui/StateMark";
import { Coming } from "./Coming";
import { EditLinks } from "./EditLinks";
import { MadeLinks } from "./MadeLinks";
import { OVERLAPS } from "./overlaps";
import {
  comingQuery,
  type Run,
  runsQuery,
  SCHEDULES,
  type Schedule,
  scheduleQuery,
  useFresh,
} from "./queries";
import { RunMark } from "./RunMark";
import { inWords } from "./rules";
import { ScheduleActions } from "./ScheduleActions";
import classes from "./Schedules.module.css";

const route = getRouteApi("/shell/schedules/$id");

const COLUMNS: Column<Run>[] = [
  { id: "at", title: "For", width: 130, cell: ({ at }) => <RelativeTime at={at} /> },
  { id: "status", title: "What came of it", width: 140, cell: (run) => <RunMark run={run} /> },
  { id: "made", title: "Submitted", width: 190, cell: ({ made }) => <MadeLinks made={made} /> },
  { id: "why", title: "Why", width: 320, cell: (run) => <Why run={run} /> },
  { id: "noted", title: "Noted", width: 120, cell: ({ noted_at }) => <RelativeTime at={noted_at} /> },
];

/** One schedule: when it fires, what it submits, and what came of each time. */
export function SchedulePage() {
  const { id } = route.useParams();
  const query = useQuery(scheduleQuery(id));
  useFresh(SCHEDULES);
  const schedule = query.data;
  if (!schedule)
    return (
      <Page title="Schedule">
        {query.error ? <ProblemView error={query.error} /> : <Skeleton h={300} radius="md" />}
      </Page>
    );
  return (
    <Page
      title={schedule.name}
      lead={
        <Group gap="sm">
          <StateMark tone={schedule.enabled ? "good" : "idle"}>
            {schedule.enabled ? "Enabled" : "Paused"}
          </StateMark>
          <Text component="span" c="dimmed">
            {inWords(schedule.rule)}
          </Text>
        </Group>
      }
      actions={<ScheduleActions schedule={schedule} />}
    >
      {schedule.paused_reason && <Note title="It paused by itself">{schedule.paused_reason}</Note>}
      <div className={classes.split}>
        <Stack gap="md">
          <Facts schedule={schedule} />
          <History id={id} />
          <Title order={2} fz="md">
            What it submits
          </Title>
          <EditLinks schedule={schedule} />
          <JsonView value={schedule.targets} label="What it submits" />
        </Stack>
        <NextTimes schedule={schedule} />
      </div>
    </Page>
  );
}

function Facts({ schedule }: { schedule: Schedule }) {
  const { rule } = schedule;
  return (
    <Paper withBorder radius="md" p="md" component="section" aria-label="How it is set">
      {schedule.note && (
        <Text mb="sm" style={{ whiteSpace: "pre-line" }}>
          {schedule.note}
        </Text>
      )}
      <FactList>
        <Fact name="Rule">
          <code>{rule.cron ?? `every ${rule.every} s`}</code>
          {rule.jitter ? `, up to ${rule.jitter} s later` : ""}
        </Fact>
        <Fact name="Next">
          {schedule.next?.waiting ? "Waits for the last to end" : <RelativeTime at={schedule.next?.due_at} />}
        </Fact>
        <Fact name="Last">
          <RelativeTime at={schedule.last_at} />
        </Fact>
        <Fact name="While the last one runs">{OVERLAPS[schedule.overlap]}</Fact>
        <Fact name="Made up at most">{schedule.catch_up}</Fact>
        <Fact name="Failures in a row">{schedule.failures}</Fact>
        <Fact name="Owner">{schedule.owner}</Fact>
        {schedule.time_input && <Fact name="Input of its time">{schedule.time_input}</Fact>}
        {Object.keys(schedule.labels).length > 0 && (
          <Fact name="Labels">
            <Labels labels={schedule.labels} />
          </Fact>
        )}
      </FactList>
    </Paper>
  );
}

function NextTimes({ schedule }: { schedule: Schedule }) {
  const coming = useQuery(comingQuery(schedule.id));
  return (
    <Paper withBorder radius="md" p="md" component="section" aria-label="Next times">
      <Title order={2} fz="md" mb="sm">
        Next times{schedule.enabled ? "" : ", once it is enabled"}
      </Title>
      <ProblemView error={coming.error} />
      {coming.data && <Coming firings={coming.data.items} />}
      {coming.data?.items.length === 0 && <Text c="dimmed">None: its rule has ended.</Text>}
    </Paper>
  );
}

function History({ id }: { id: string }) {
  const runs = useInfiniteQuery(runsQuery(id));
  return (
    <Stack gap="sm" component="section" aria-label="History">
      <Title order={2} fz="md">
        History
      </Title>
      <ProblemView error={runs.error} />
      <DataTable
        label="Firings"
        rows={runs.data?.pages.flatMap(({ items }) => items) ?? []}
        columns={COLUMNS}
        rowKey={({ at, noted_at }) => `${at} ${noted_at}`}
        card={(run) => <RunCard run={run} />}
        cardHeight={84}
        height="26rem"
        onEnd={runs.hasNextPage && !runs.isFetchingNextPage ? () => void runs.fetchNextPage() : undefined}
        empty={<Text c="dimmed">{runs.isPending ? "Looking …" : "It has not fired yet."}</Text>}
      />
    </Stack>
  );
}

function Why({ run }: { run: Run }) {
  const detail = run.problem?.["detail"];
  const said = run.message ?? (typeof detail === "string" ? detail : null) ?? (run.manual ? "By hand" : "");
  return (
    <span className={classes.message} title={said}>
      {said}
    </span>
  );
}

function RunCard({ run }: { run: Run }) {
  return (
    <Stack gap={4}>
      <Group justify="space-between">
        <RunMark run={run} />
        <Text component="span" fz="xs" c="dimmed">
          <RelativeTime at={run.at} />
        </Text>
      </Group>
      {run.made.length > 0 ? <MadeLinks made={run.made} /> : <Why run={run} />}
    </Stack>
  );
}
