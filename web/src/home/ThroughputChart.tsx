import "@mantine/charts/styles.css";
import { BarChart } from "@mantine/charts";
import { useMemo } from "react";
import { type Stats, TERMINAL } from "../api/types";
import { STATUS } from "../ui/statuses";
import { stepName } from "./spans";

/** What ended in each step, by how. */
export default function ThroughputChart({ stats }: { stats: Stats }) {
  const data = useMemo(
    () => stats.steps.map(({ at, ended }) => ({ at: stepName(at, stats.step), ...ended })),
    [stats],
  );
  const series = TERMINAL.map((status) => ({
    name: status,
    label: STATUS[status].word,
    color: `var(--status-${status})`,
  }));
  const total = stats.steps.flatMap(({ ended }) => Object.values(ended ?? {})).reduce((sum, n) => sum + n, 0);
  return (
    <div role="img" aria-label={`${total} executions ended in ${stats.steps.length} steps`}>
      <BarChart
        h={230}
        data={data}
        dataKey="at"
        type="stacked"
        series={series}
        gridAxis="x"
        tickLine="none"
        withLegend
        legendProps={{ verticalAlign: "bottom", height: 36 }}
        yAxisProps={{ allowDecimals: false, width: 36 }}
        xAxisProps={{ minTickGap: 24 }}
        barProps={{ isAnimationActive: false, maxBarSize: 26 }}
      />
    </div>
  );
}
