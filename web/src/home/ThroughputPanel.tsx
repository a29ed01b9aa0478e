import { Card, Title } from "@mantine/core";
import type { Stats } from "../api/types";
import { Figure } from "./Figure";
import classes from "./Home.module.css";
import { percent, sumOf } from "./sums";
import { Throughput } from "./Throughput";

/** How much came and went in this time, and how it ended. */
export function ThroughputPanel({ stats }: { stats: Stats | undefined }) {
  const sums = stats && sumOf(stats.steps);
  const failed = sums && sums.ended.failed + sums.ended.timed_out + sums.ended.crashed;
  return (
    <Card component="section" aria-label="What ended" className={classes.panel} padding="md" h="100%">
      <Title order={2}>What ended</Title>
      <div className={classes.figures}>
        <Figure name="Submitted">{sums?.submitted.toLocaleString()}</Figure>
        <Figure name="Ended">{sums?.total.toLocaleString()}</Figure>
        <Figure name="Succeeded">{sums && percent(sums.ended.succeeded, sums.total)}</Figure>
        <Figure name="Failed">{sums && percent(failed ?? 0, sums.total)}</Figure>
      </div>
      <Throughput stats={stats} />
    </Card>
  );
}
