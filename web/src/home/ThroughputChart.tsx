import "@mantine/charts/styles.css";
import { BarChart } from "@mantine/charts";
import { useMemo } from "react";
import { type Stats, TERMINAL } from "../api/types";
import { STATUS } from "../ui/statuses";
import { ChartTip, type TipRow } from "./ChartTip";
import { CHART_HEIGHT } from "./chart";
import { stepName, stepRange } from "./spans";
import { endedOf, percent, sumOf } from "./sums";

const SERIES = TERMINAL.map((status) => ({
  name: status,
  label: STATUS[status].word,
  color: `var(--status-${status})`,
}));

/** What ended in each step, by how. */
export default function ThroughputChart({ stats }: { stats: Stats }) {
  const data = useMemo(() => stats.steps.map((step) => ({ at: step.at, ...endedOf(step) })), [stats]);
  const { total } = sumOf(stats.steps);
  return (
    <div role="img" aria-label={`${total} executions ended in ${stats.steps.length} steps`}>
      <BarChart
        h={CHART_HEIGHT}
        data={data}
        dataKey="at"
        type="stacked"
        series={SERIES}
        gridAxis="x"
        tickLine="none"
        yAxisProps={{ allowDecimals: false, width: 40 }}
        xAxisProps={{ minTickGap: 28, tickFormatter: (at: string) => stepName(at, stats.step) }}
        barProps={{ isAnimationActive: false, maxBarSize: 26 }}
        barChartProps={{ accessibilityLayer: false }}
        tooltipProps={{ content: ({ label }) => <Tip stats={stats} at={label} /> }}
      />
    </div>
  );
}

function Tip({ stats, at }: { stats: Stats; at: unknown }) {
  const step = stats.steps.find((each) => each.at === at);
  if (!step) return null;
  const { ended, total } = sumOf([step]);
  const rows: TipRow[] = TERMINAL.filter((status) => ended[status] > 0).map((status) => ({
    name: STATUS[status].word,
    value: `${ended[status].toLocaleString()} · ${percent(ended[status], total)}`,
    color: `var(--status-${status})`,
  }));
  rows.push({ name: "Ended", value: total.toLocaleString() });
  rows.push({ name: "Started", value: step.started.toLocaleString() });
  rows.push({ name: "Submitted", value: step.submitted.toLocaleString() });
  return <ChartTip title={stepRange(step.at, stats.step, Date.now())} rows={rows} />;
}
