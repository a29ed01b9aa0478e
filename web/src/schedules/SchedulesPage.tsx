import { Button, Group, Skeleton, Stack, Tabs, Text } from "@mantine/core";
import { IconCalendarRepeat, IconPlus } from "@tabler/icons-react";
import { useInfiniteQuery, useQueries } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { Page } from "../layout/Page";
import { useMay } from "../session/session";
import { ButtonLink } from "../ui/ButtonLink";
import { type Column, DataTable } from "../ui/DataTable";
import { EmptyState } from "../ui/EmptyState";
import { TextLink } from "../ui/IdLink";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { StateMark } from "../ui/StateMark";
import { lastRunQuery, type Run, SCHEDULES, type Schedule, schedulesQuery, useFresh } from "./queries";
import { RunMark } from "./RunMark";
import { inWords } from "./rules";
import { TriggerDialog } from "./TriggerDialog";
import { TriggersTable } from "./TriggersTable";

const route = getRouteApi("/shell/schedules");
/** Of so many the last result is asked for. */
const LOOKED_AT = 30;

interface Row {
  schedule: Schedule;
  last: Run | null | undefined;
}

const COLUMNS: Column<Row>[] = [
  { id: "state", title: "State", width: 110, cell: ({ schedule }) => <State schedule={schedule} /> },
  { id: "name", title: "Name", width: 220, cell: ({ schedule }) => <NameLink schedule={schedule} /> },
  {
    id: "rule",
    title: "When",
    width: 300,
    cell: ({ schedule: { rule } }) => <span title={rule.cron ?? ""}>{inWords(rule)}</span>,
  },
  { id: "next", title: "Next", width: 130, cell: ({ schedule }) => <Next schedule={schedule} /> },
  { id: "last", title: "Last", width: 120, cell: ({ schedule }) => <RelativeTime at={schedule.last_at} /> },
  { id: "result", title: "What came of it", width: 150, cell: ({ last }) => <RunMark run={last} /> },
  { id: "owner", title: "Owner", width: 110, cell: ({ schedule }) => schedule.owner },
];

/** What is submitted again and again: by the clock, or when another system posts. */
export function SchedulesPage() {
  const { show } = route.useSearch();
  const navigate = route.useNavigate();
  const maySubmit = useMay("submit");
  const [isMaking, setMaking] = useState(false);
  return (
    <Page
      title="Schedules"
      lead={<Text c="dimmed">What is submitted by the clock, or when another system posts.</Text>}
      actions={
        maySubmit &&
        (show === "triggers" ? (
          <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
            New trigger
          </Button>
        ) : (
          <ButtonLink to="/schedule-editor" leftSection={<IconPlus size={16} />}>
            New schedule
          </ButtonLink>
        ))
      }
    >
      <Tabs
        value={show ?? "schedules"}
        keepMounted={false}
        onChange={(next) =>
          void navigate({ search: next === "triggers" ? { show: "triggers" } : {}, replace: true })
        }
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="schedules">By the clock</Tabs.Tab>
          <Tabs.Tab value="triggers">Triggers</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="schedules">
          <SchedulesTable />
        </Tabs.Panel>
        <Tabs.Panel value="triggers">
          <TriggersTable />
        </Tabs.Panel>
      </Tabs>
      {isMaking && <TriggerDialog onClose={() => setMaking(false)} />}
    </Page>
  );
}

function SchedulesTable() {
  const query = useInfiniteQuery(schedulesQuery);
  useFresh(SCHEDULES);
  const schedules = query.data?.pages.flatMap(({ items }) => items) ?? [];
  const last = useQueries({
    queries: schedules.slice(0, LOOKED_AT).map(({ id }) => lastRunQuery(id)),
    combine: (answers) => answers.map(({ data }) => data),
  });
  if (query.error) return <ProblemView error={query.error} />;
  if (query.isPending) return <Skeleton h={240} radius="md" />;
  return (
    <DataTable
      label="Schedules"
      rows={schedules.map((schedule, index) => ({ schedule, last: last[index] }))}
      columns={COLUMNS}
      rowKey={({ schedule }) => schedule.id}
      card={(row) => <ScheduleCard row={row} />}
      cardHeight={104}
      onEnd={query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : undefined}
      empty={
        <EmptyState
          icon={IconCalendarRepeat}
          title="No schedule yet"
          text="A schedule submits executions and batches by a cron expression or at an interval, and keeps note of each time."
        />
      }
    />
  );
}

function NameLink({ schedule: { id, name } }: { schedule: Schedule }) {
  return (
    <TextLink to="/schedules/$id" params={{ id }} title={name} fw={550}>
      {name}
    </TextLink>
  );
}

function State({ schedule }: { schedule: Schedule }) {
  if (schedule.enabled) return <StateMark tone="good">Enabled</StateMark>;
  return <StateMark tone={schedule.paused_reason ? "bad" : "idle"}>Paused</StateMark>;
}

function Next({ schedule }: { schedule: Schedule }) {
  if (!schedule.next) return <span>–</span>;
  if (schedule.next.waiting) return <span>Waits for the last</span>;
  return <RelativeTime at={schedule.next.due_at} />;
}

function ScheduleCard({ row }: { row: Row }) {
  const { schedule, last } = row;
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text component="div" truncate miw={0}>
          <NameLink schedule={schedule} />
        </Text>
        <State schedule={schedule} />
      </Group>
      <Text fz="sm" truncate>
        {inWords(schedule.rule)}
      </Text>
      <Group gap="sm" fz="xs" c="dimmed" wrap="nowrap">
        <span>
          Next: <Next schedule={schedule} />
        </span>
        <RunMark run={last} />
      </Group>
    </Stack>
  );
}
