import { Card, Title } from "@mantine/core";
import { lazy } from "react";
import type { Pool, Stats } from "../api/types";
import { Duration } from "../ui/Duration";
import { TextLink } from "../ui/IdLink";
import { spell } from "../ui/time";
import { ChartFrame } from "./ChartFrame";
import { Dot } from "./Dot";
import { Figure } from "./Figure";
import classes from "./Home.module.css";
import { QUEUE_SERIES, sinceWhen } from "./queue";
import { sumOf } from "./sums";

const QueueChart = lazy(() => import("./QueueChart"));

interface QueuePanelProps {
  stats: Stats | undefined;
  /** When the numbers came, by this machine's clock. */
  fetchedAt: number;
  pools: readonly Pool[] | undefined;
}

/** How long the queue makes one wait, now and over time. */
export function QueuePanel({ stats, fetchedAt, pools }: QueuePanelProps) {
  const oldest = stats && sumOf(stats.steps).oldest;
  return (
    <Card component="section" aria-label="The queue" className={classes.panel} padding="md" h="100%">
      <Title order={2}>The queue</Title>
      <div className={classes.figures}>
        <Figure name="Oldest waits">{stats && <Oldest stats={stats} fetchedAt={fetchedAt} />}</Figure>
        <Figure name="Longest wait">{stats && (oldest == null ? "–" : spell(oldest))}</Figure>
        <Figure name="Slots in use">{pools && <Slots pools={pools} />}</Figure>
      </div>
      <ChartFrame empty={oldest === null ? "Nothing waited in this time." : undefined}>
        {stats && <QueueChart stats={stats} />}
      </ChartFrame>
      <ul className={classes.legend}>
        {QUEUE_SERIES.map(({ name, label, color }) => (
          <li key={name}>
            <Dot color={color} />
            <span>{label}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}

/** How long the one waits that waits longest; it goes on as one looks. */
function Oldest({ stats, fetchedAt }: { stats: Stats; fetchedAt: number }) {
  const seconds = stats.queue.oldest_seconds;
  return seconds === null ? "–" : <Duration since={sinceWhen(seconds, fetchedAt)} />;
}

function Slots({ pools }: { pools: readonly Pool[] }) {
  const slots = pools.reduce((sum, pool) => sum + pool.slots, 0);
  const busy = pools.reduce((sum, pool) => sum + pool.running, 0);
  return (
    <TextLink to="/workers" inherit c="inherit">
      {slots === 0 ? "none" : `${busy} of ${slots}`}
    </TextLink>
  );
}
