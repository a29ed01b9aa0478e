import { Grid, SegmentedControl } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { RunTime } from "../executions/columns";
import type { ListSearch } from "../executions/search";
import { Page } from "../layout/Page";
import { statsQuery, useFresh } from "../stats/queries";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { poolsQuery } from "../workers/queries";
import { Latest } from "./Latest";
import { QueuePanel } from "./QueuePanel";
import { Start } from "./Start";
import { StatusCards } from "./StatusCards";
import { DEFAULT_SPAN, isSpan, SPANS } from "./spans";
import { isUnused } from "./sums";
import { ThroughputPanel } from "./ThroughputPanel";

const BUSY: ListSearch = { status: ["preparing", "running", "paused", "stopping"] };
const FAILED: ListSearch = { status: ["failed", "timed_out", "crashed"], sort: "-finished" };
const CHOICES = Object.entries(SPANS).map(([value, { label }]) => ({ value, label }));

const route = getRouteApi("/shell/");

/** How everything stands, and how it went lately. */
export function HomePage() {
  const { span = DEFAULT_SPAN } = route.useSearch();
  const navigate = route.useNavigate();
  const stats = useQuery(statsQuery(SPANS[span].seconds, SPANS[span].step));
  const pools = useQuery(poolsQuery);
  useFresh("stats", "pools");
  const choose = (value: string) =>
    void navigate({ search: isSpan(value) && value !== DEFAULT_SPAN ? { span: value } : {}, replace: true });
  const unused = stats.data !== undefined && isUnused(stats.data);
  return (
    <Page
      title="Home"
      actions={
        !unused && (
          <SegmentedControl size="xs" aria-label="Since when" value={span} onChange={choose} data={CHOICES} />
        )
      }
    >
      <ProblemView error={stats.error ?? pools.error} />
      <StatusCards stats={stats.data} />
      {unused ? (
        <Start />
      ) : (
        <Grid gap="sm">
          <Grid.Col span={{ base: 12, lg: 7 }}>
            <ThroughputPanel stats={stats.data} />
          </Grid.Col>
          <Grid.Col span={{ base: 12, lg: 5 }}>
            <QueuePanel stats={stats.data} fetchedAt={stats.dataUpdatedAt} pools={pools.data?.items} />
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
      )}
    </Page>
  );
}
