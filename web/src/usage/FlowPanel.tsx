import { Group, SegmentedControl, Skeleton, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { SPANS, type Span } from "../home/spans";
import { ProblemView } from "../ui/ProblemView";
import ui from "../ui/ui.module.css";
import { flowQuery } from "./queries";
import classes from "./Usage.module.css";

const ThroughputChart = lazy(() => import("../home/ThroughputChart"));
const HEIGHT = 230;

/** What an owner's executions came to, over time. */
export function FlowPanel({ owner }: { owner: string }) {
  const [span, setSpan] = useState<Span>("day");
  const { seconds, step } = SPANS[span];
  const { data: stats, error } = useQuery(flowQuery(owner, seconds, step));
  const submitted = stats?.steps.reduce((sum, each) => sum + each.submitted, 0);
  return (
    <section className={`${ui.panel} ${classes.panel}`} aria-label="What ended">
      <Group justify="space-between" gap="xs">
        <Title order={2}>What ended</Title>
        <SegmentedControl
          size="xs"
          aria-label="Since when"
          value={span}
          onChange={(value) => setSpan(isSpan(value) ? value : "day")}
          data={Object.entries(SPANS).map(([value, { label }]) => ({ value, label }))}
        />
      </Group>
      {submitted !== undefined && (
        <Text fz="sm" c="dimmed">
          {submitted.toLocaleString()} submitted in that time.
        </Text>
      )}
      <ProblemView error={error} />
      {!error && (
        <div className={classes.chart}>
          <Suspense fallback={<Skeleton h={HEIGHT} />}>
            {stats ? <ThroughputChart stats={stats} /> : <Skeleton h={HEIGHT} />}
          </Suspense>
        </div>
      )}
    </section>
  );
}

function isSpan(value: string): value is Span {
  return value in SPANS;
}
