import { Card, Grid, Group, SegmentedControl, SimpleGrid, Skeleton, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { api, ask } from "../api/client";
import { hasEnded, STATUSES, type Stats } from "../api/types";
import { RunTime } from "../executions/columns";
import type { ListSearch } from "../executions/search";
import { Page } from "../layout/Page";
import { statsQuery, useFresh } from "../stats/queries";
import { Duration } from "../ui/Duration";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import classes from "./Home.module.css";
import { Latest } from "./Latest";
import { StatusCard } from "./StatusCard";
import { SPANS, type Span } from "./spans";

const BUSY: ListSearch = { status: ["preparing", "running", "paused", "stopping"] };
const FAILED: ListSearch = { status: ["failed", "timed_out", "crashed"], sort: "-finished" };

const ThroughputChart = lazy(() => import("./ThroughputChart"));
const QueueChart = lazy(() => import("./QueueChart"));

/** How everything stands, and how it went lately. */
export function HomePage() {
  const [span, setSpan] = useState<Span>("day");
  const { seconds, step } = SPANS[span];
  const stats = useQuery(statsQuery(seconds, step));
  const pools = useQuery({
    queryKey: ["pools"],
    queryFn: ({ signal }) => ask(api.GET("/v1/pools", { signal })),
  });
  useFresh("stats", "pools");
  const slots = pools.data?.items.reduce((sum, pool) => sum + pool.slots, 0);
  const busy = pools.data?.items.reduce((sum, pool) => sum + pool.running, 0);
  return (
    <Page title="Home">
      <ProblemView error={stats.error ?? pools.error} />
      <SimpleGrid cols={{ base: 3, sm: 5 }} spacing="sm">
        {STATUSES.filter((status) => !hasEnded(status)).map((status) => (
          <StatusCard key={status} status={status} count={stats.data?.counts[status]} />
        ))}
      </SimpleGrid>
      <Grid gap="sm">
        <Grid.Col span={{ base: 12, lg: 8 }}>
          <Card className={classes.panel} padding="md">
            <Group justify="space-between" mb="sm">
              <Title order={2}>What ended</Title>
              <SegmentedControl
                size="xs"
                aria-label="Since when"
                value={span}
                onChange={(value) => setSpan(value as Span)}
                data={Object.entries(SPANS).map(([value, { label }]) => ({ value, label }))}
              />
            </Group>
            <Ended stats={stats.data} />
            <Suspense fallback={<Skeleton h={230} />}>
              {stats.data ? <ThroughputChart stats={stats.data} /> : <Skeleton h={230} />}
            </Suspense>
          </Card>
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 4 }}>
          <Card className={classes.panel} padding="md" h="100%">
            <Title order={2} mb="sm">
              The queue
            </Title>
            <Group gap="xl" mb="sm">
              <Figure name="Oldest waits">
                {stats.data?.queue.oldest_seconds == null ? (
                  "–"
                ) : (
                  <Duration since={sinceWhen(stats.data.queue.oldest_seconds, stats.dataUpdatedAt)} />
                )}
              </Figure>
              <Figure name="Slots in use">{slots === undefined ? "–" : `${busy} of ${slots}`}</Figure>
            </Group>
            <Text fz="sm" c="dimmed" mb={4}>
              How long the latest waited before they started
            </Text>
            <Suspense fallback={<Skeleton h={170} />}>
              <QueueChart />
            </Suspense>
          </Card>
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 6 }}>
          <Latest
            title="Under way"
            search={BUSY}
            empty="Nothing runs."
            end={(execution) => <RunTime execution={execution} />}
          />
        </Grid.Col>
        <Grid.Col span={{ base: 12, lg: 6 }}>
          <Latest
            title="Failed lately"
            search={FAILED}
            empty="Nothing failed."
            end={(execution) => <RelativeTime at={execution.finished_at} />}
          />
        </Grid.Col>
      </Grid>
    </Page>
  );
}

function Figure({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <Text fz="xs" c="dimmed">
        {name}
      </Text>
      <Text fz="lg" fw={600} className="tabular">
        {children}
      </Text>
    </div>
  );
}

/** How many ended, and how. */
function Ended({ stats }: { stats: Stats | undefined }) {
  if (!stats) return <Skeleton h={20} w={240} mb="sm" />;
  const submitted = stats.steps.reduce((sum, step) => sum + step.submitted, 0);
  const ended = stats.steps.flatMap((step) => Object.entries(step.ended ?? {}));
  const total = ended.reduce((sum, [, n]) => sum + n, 0);
  const well = ended.reduce((sum, [status, n]) => sum + (status === "succeeded" ? n : 0), 0);
  return (
    <Group gap="xl" mb="sm">
      <Figure name="Submitted">{submitted.toLocaleString()}</Figure>
      <Figure name="Ended">{total.toLocaleString()}</Figure>
      <Figure name="Of them succeeded">{total > 0 ? `${Math.floor((well / total) * 100)} %` : "–"}</Figure>
    </Group>
  );
}

/** The moment since when the oldest waits: so many seconds before the answer came. */
function sinceWhen(seconds: number, at: number): string {
  return new Date(at - seconds * 1000).toISOString();
}
