import { Card, Group, Skeleton, Text, Title } from "@mantine/core";
import { NameLink, RunTime, Standing } from "../executions/columns";
import { useExecutionList } from "../executions/list";
import { TextLink } from "../ui/IdLink";
import classes from "./Home.module.css";

const SHOWN = 8;
const BUSY = { status: ["preparing" as const, "running" as const, "paused" as const, "stopping" as const] };

/** What is under way at this moment, with how far it is. */
export function Running() {
  const { rows, isPending } = useExecutionList("live", BUSY);
  return (
    <Card className={classes.panel} padding="md" h="100%">
      <Group justify="space-between" mb="xs">
        <Title order={2}>Under way</Title>
        <TextLink to="/executions" search={BUSY} fz="sm">
          All
        </TextLink>
      </Group>
      {isPending && <Skeleton h={80} />}
      {!isPending && rows.length === 0 && (
        <Text fz="sm" c="dimmed">
          Nothing runs.
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
            <RunTime execution={execution} />
          </span>
        </div>
      ))}
    </Card>
  );
}
