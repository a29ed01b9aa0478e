import { Group, SegmentedControl, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { isSpan, SPANS, type Span } from "../home/spans";
import { Throughput } from "../home/Throughput";
import { ProblemView } from "../ui/ProblemView";
import ui from "../ui/ui.module.css";
import { flowQuery } from "./queries";
import classes from "./Usage.module.css";

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
        <div>
          <Throughput stats={stats} within={{ owner: [owner] }} />
        </div>
      )}
    </section>
  );
}
