import "@mantine/charts/styles.css";
import { AreaChart } from "@mantine/charts";
import { Skeleton, Text } from "@mantine/core";
import { useMemo } from "react";
import { useExecutionList } from "../executions/list";
import { spell } from "../ui/time";
import { type Waited, waits } from "./waits";

const ALL = {};
const MINUTE = 60;

/** A length of time where there is little room. */
function briefly(seconds: number): string {
  return seconds < MINUTE ? `${Math.round(seconds * 10) / 10} s` : `${Math.round(seconds / MINUTE)} min`;
}

/** How long the latest executions waited in the queue, by when they were accepted. */
export default function QueueChart() {
  const { rows, isPending } = useExecutionList("live", ALL);
  const data: Waited[] = useMemo(() => waits(rows), [rows]);
  if (isPending) return <Skeleton h={170} />;
  if (data.length < 2) {
    return (
      <Text fz="sm" c="dimmed" py="md">
        Nothing has started yet that could be compared.
      </Text>
    );
  }
  const longest = Math.max(...data.map(({ longest }) => longest));
  return (
    <div role="img" aria-label={`The longest of the latest waited ${spell(longest)}`}>
      <AreaChart
        h={170}
        data={data}
        dataKey="at"
        series={[
          { name: "longest", label: "Longest", color: "var(--status-stopping)" },
          { name: "median", label: "Median", color: "var(--status-running)" },
        ]}
        gridAxis="x"
        tickLine="none"
        curveType="monotone"
        withDots={false}
        withLegend
        legendProps={{ verticalAlign: "bottom", height: 36 }}
        valueFormatter={spell}
        yAxisProps={{ width: 64, tickFormatter: briefly }}
        xAxisProps={{ minTickGap: 32 }}
        areaProps={{ isAnimationActive: false }}
      />
    </div>
  );
}
