import { Card, Group, Skeleton, Text, Title } from "@mantine/core";
import type { ReactNode } from "react";
import type { Execution } from "../api/types";
import { NameLink, Standing } from "../executions/columns";
import { useExecutionList } from "../executions/list";
import type { ListSearch } from "../executions/search";
import { TextLink } from "../ui/IdLink";
import classes from "./Home.module.css";

const SHOWN = 8;

interface LatestProps {
  title: string;
  search: ListSearch;
  empty: string;
  /** What stands at the end of a row. */
  end: (execution: Execution) => ReactNode;
}

/** The first few of a list, and the way to all of it. */
export function Latest({ title, search, empty, end }: LatestProps) {
  const { rows, isPending } = useExecutionList("live", search);
  return (
    <Card className={classes.panel} padding="md" h="100%">
      <Group justify="space-between" mb="xs">
        <Title order={2}>{title}</Title>
        <TextLink to="/executions" search={search} fz="sm">
          All
        </TextLink>
      </Group>
      {isPending && <Skeleton h={80} />}
      {!isPending && rows.length === 0 && (
        <Text fz="sm" c="dimmed">
          {empty}
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
          <span className={classes.end}>{end(execution)}</span>
        </div>
      ))}
    </Card>
  );
}
