import { Card, Group, Skeleton, Text, Title } from "@mantine/core";
import { NameLink, Standing } from "../executions/columns";
import { useExecutionList } from "../executions/list";
import { TextLink } from "../ui/IdLink";
import { RelativeTime } from "../ui/RelativeTime";
import classes from "./Home.module.css";

const SHOWN = 8;
const FAILED = {
  status: ["failed" as const, "timed_out" as const, "crashed" as const],
  sort: "-finished" as const,
};

/** What did not end well lately, and why. */
export function Failures() {
  const { rows, isPending } = useExecutionList("live", FAILED);
  return (
    <Card className={classes.panel} padding="md" h="100%">
      <Group justify="space-between" mb="xs">
        <Title order={2}>Failed lately</Title>
        <TextLink to="/executions" search={FAILED} fz="sm">
          All
        </TextLink>
      </Group>
      {isPending && <Skeleton h={80} />}
      {!isPending && rows.length === 0 && (
        <Text fz="sm" c="dimmed">
          Nothing failed.
        </Text>
      )}
      {rows.slice(0, SHOWN).map((execution) => (
        <div key={execution.id} className={classes.row}>
          <Text component="div" fz="inherit" truncate>
            <NameLink execution={execution} />
          </Text>
          <Text component="div" fz="inherit" truncate>
            <Standing execution={execution} />
          </Text>
          <span className={classes.end}>
            <RelativeTime at={execution.finished_at} />
          </span>
        </div>
      ))}
    </Card>
  );
}
