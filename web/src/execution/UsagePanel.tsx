import { Group, Select, SimpleGrid, Skeleton, Stack, Text } from "@mantine/core";
import { IconGauge } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import type { Execution, Schemas } from "../api/types";
import { spellBytes } from "../ui/Bytes";
import { EmptyState } from "../ui/EmptyState";
import { ProblemView } from "../ui/ProblemView";
import { spell } from "../ui/time";
import { type Fact, Facts } from "./Facts";
import { Panel } from "./Panel";
import { usageQuery } from "./queries";
import { type Measure, pointsOf } from "./samples";
import { spellSize } from "./spelling";

const Chart = lazy(() => import("./UsageChart").then(({ UsageChart }) => ({ default: UsageChart })));

/** Processor and memory over time, and the most that it used. */
export function UsagePanel({ record }: { record: Execution }) {
  const [chosen, setChosen] = useState<string | null>(null);
  const attempt = chosen === null ? undefined : Number(chosen);
  const { data: usage, error } = useQuery(usageQuery(record.id, attempt));
  if (error) return <ProblemView error={error} />;
  if (!usage) return <Skeleton h={240} />;
  if (usage.attempt === null)
    return <EmptyState icon={IconGauge} title="Nothing was used yet" text="It has not been started." />;
  const attempts = Array.from({ length: record.attempt }, (_, index) => String(index + 1));
  return (
    <Stack>
      {attempts.length > 1 && (
        <Select
          label="Attempt"
          data={attempts}
          value={String(usage.attempt)}
          onChange={setChosen}
          allowDeselect={false}
          w={120}
        />
      )}
      <Panel title={usage.running ? "So far" : "In all"}>
        <Facts facts={sums(usage)} />
        <Missing missing={usage.missing} />
      </Panel>
      {usage.samples.length < 2 ? (
        <Text fz="sm" c="dimmed">
          {usage.running
            ? "Its first samples come in a moment."
            : "It was over before there were samples to draw."}
        </Text>
      ) : (
        <SimpleGrid cols={{ base: 1, md: 2 }}>
          <Measured usage={usage} measure="cores" title="Processors" most={record.limits.cpus} />
          <Measured usage={usage} measure="memory" title="Memory" most={bytesOf(record.limits.memory)} />
        </SimpleGrid>
      )}
    </Stack>
  );
}

interface MeasuredProps {
  usage: Schemas["Usage"];
  measure: Measure;
  title: string;
  /** Its limit. */
  most: number | undefined;
}

function Measured({ usage, measure, title, most }: MeasuredProps) {
  const points = pointsOf(usage.samples, measure);
  return (
    <Panel
      title={title}
      aside={
        most !== undefined && (
          <Text fz="xs" c="dimmed">
            of at most {measure === "memory" ? spellSize(most) : most}
          </Text>
        )
      }
    >
      <Suspense fallback={<Skeleton h={180} />}>
        <Chart points={points} measure={measure} title={title} />
      </Suspense>
    </Panel>
  );
}

function bytesOf(size: number | string | undefined): number | undefined {
  return typeof size === "number" ? size : undefined;
}

function sums({ cpu_seconds, peak, now }: Schemas["Usage"]): Fact[] {
  return [
    ["Processor time", cpu_seconds === null ? "–" : spell(cpu_seconds)],
    ["Cores", ofPeak(now?.cores?.toFixed(2), peak.cores?.toFixed(2))],
    ["Memory", ofPeak(bytes(now?.memory), bytes(peak.memory))],
    ["Disk", ofPeak(bytes(now?.disk), bytes(peak.disk))],
    ["Processes", ofPeak(now?.pids?.toString(), peak.pids?.toString())],
  ];
}

function bytes(value: number | null | undefined): string | undefined {
  return value == null ? undefined : spellBytes(value);
}

function ofPeak(now: string | undefined, peak: string | undefined): string {
  if (peak === undefined) return now ?? "–";
  return now === undefined ? `peak ${peak}` : `${now}, peak ${peak}`;
}

function Missing({ missing }: { missing: Record<string, string> }) {
  const entries = Object.entries(missing).filter(([what]) => what !== "network");
  return (
    <Group gap={4} mt={entries.length > 0 ? "xs" : 0}>
      {entries.map(([what, why]) => (
        <Text key={what} fz="xs" c="dimmed">
          {what}: {why}
        </Text>
      ))}
    </Group>
  );
}
