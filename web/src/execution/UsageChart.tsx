import "@mantine/charts/styles.css";
import { AreaChart } from "@mantine/charts";
import { spellBytes } from "../ui/Bytes";
import { spell } from "../ui/time";
import { type Measure, type Point, summaryOf } from "./samples";
import { tickLabel, ticks } from "./timeline";

const HEIGHT = 180;

interface UsageChartProps {
  points: Point[];
  measure: Measure;
  title: string;
}

/** One measure over time. */
export function UsageChart({ points, measure, title }: UsageChartProps) {
  const said = measure === "memory" ? spellBytes : (value: number) => String(Number(value.toPrecision(2)));
  const length = points.at(-1)?.at ?? 0;
  return (
    <div role="img" aria-label={`${title} over time: ${summaryOf(points, said)}.`}>
      <AreaChart
        h={HEIGHT}
        data={points}
        dataKey="at"
        series={[{ name: "value", label: title, color: "var(--status-running)" }]}
        curveType="monotone"
        withDots={false}
        gridAxis="x"
        valueFormatter={said}
        xAxisProps={{
          type: "number",
          domain: [0, length],
          ticks: ticks(length, 5),
          tickFormatter: tickLabel,
        }}
        yAxisProps={{ width: 72, domain: [0, "auto"] }}
        tooltipProps={{ labelFormatter: (at) => `after ${spell(Number(at))}` }}
        areaProps={{ isAnimationActive: false }}
        areaChartProps={{ accessibilityLayer: false }}
      />
    </div>
  );
}
