import "@mantine/charts/styles.css";
import { AreaChart } from "@mantine/charts";
import { useMemo } from "react";
import type { Stats } from "../api/types";
import { spell } from "../ui/time";
import { ChartTip, type TipRow } from "./ChartTip";
import { CHART_HEIGHT } from "./chart";
import { QUEUE_SERIES } from "./queue";
import { stepName, stepRange } from "./spans";
import { sumOf } from "./sums";
import { briefly, durationTicks } from "./ticks";

/** How old the queue was in each step, and how long those had waited that left it for a worker. */
export default function QueueChart({ stats }: { stats: Stats }) {
  const data = useMemo(
    () =>
      stats.steps.map(({ at, queue_age_seconds, waited_seconds }) => ({
        at,
        age: queue_age_seconds ?? 0,
        wait: waited_seconds?.mean,
      })),
    [stats],
  );
  const oldest = sumOf(stats.steps).oldest ?? 0;
  const ticks = durationTicks(oldest);
  return (
    <div role="img" aria-label={`The queue was at most ${spell(oldest)} old`}>
      <AreaChart
        h={CHART_HEIGHT}
        data={data}
        dataKey="at"
        series={[...QUEUE_SERIES]}
        gridAxis="x"
        tickLine="none"
        curveType="linear"
        withDots={false}
        fillOpacity={0.18}
        yAxisProps={{ width: 56, ticks, domain: [0, ticks.at(-1) ?? 0], tickFormatter: briefly }}
        xAxisProps={{ minTickGap: 28, tickFormatter: (at: string) => stepName(at, stats.step) }}
        areaProps={{ isAnimationActive: false }}
        areaChartProps={{ accessibilityLayer: false }}
        tooltipProps={{ content: ({ label }) => <Tip stats={stats} at={label} /> }}
      />
    </div>
  );
}

function Tip({ stats, at }: { stats: Stats; at: unknown }) {
  const step = stats.steps.find((each) => each.at === at);
  if (!step) return null;
  const [age, wait] = QUEUE_SERIES;
  const said = (seconds: number | null | undefined) => (seconds == null ? "–" : spell(seconds));
  const rows: TipRow[] = [
    { name: age.label, value: said(step.queue_age_seconds), color: age.color },
    { name: wait.label, value: said(step.waited_seconds?.mean), color: wait.color },
    { name: "Longest of them", value: said(step.waited_seconds?.max) },
    { name: "Started", value: step.started.toLocaleString() },
  ];
  return <ChartTip title={stepRange(step.at, stats.step, Date.now())} rows={rows} />;
}
