import { Group, List, Skeleton, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import type { Execution } from "../api/types";
import { useExecution } from "../executions/queries";
import { IdLink, TextLink } from "../ui/IdLink";
import { JsonView } from "../ui/JsonView";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { StatusBadge } from "../ui/StatusBadge";
import { type Fact, Facts } from "./Facts";
import { Panel } from "./Panel";
import { descendantsQuery } from "./queries";

/** Where it comes from, and what came of it. */
export function LineagePanel({ record }: { record: Execution }) {
  return (
    <Stack>
      <Panel title="Where it comes from">
        <Facts wide facts={originsOf(record)} />
      </Panel>
      <Descendants id={record.id} by="rerun_of" title="Run again from it" none="Nobody has run it again." />
      <Descendants
        id={record.id}
        by="resumed_from"
        title="Went on from its checkpoint"
        none={record.checkpoint.files > 0 ? "Nothing yet." : "It has left no checkpoint."}
      />
      {record.imported && (
        <Panel title="Its lineage where it was imported from">
          <JsonView value={record.imported.lineage} label="Lineage elsewhere" />
        </Panel>
      )}
    </Stack>
  );
}

function originsOf({ lineage, source, method, imported, created_at, owner }: Execution): Fact[] {
  const { rerun_of, resumed_from, batch, schedule } = lineage;
  const facts: (Fact | null)[] = [
    [
      "Submitted",
      <span key="by">
        by {owner}, through {source}, <RelativeTime at={created_at} />
      </span>,
    ],
    method && [
      "Method",
      <TextLink key="method" to="/methods/$name" params={{ name: method.name }}>
        {method.name}@{method.version}
      </TextLink>,
    ],
    rerun_of ? ["Run again from", <Other key="rerun" id={rerun_of} />] : null,
    resumed_from ? ["Goes on from", <Other key="resumed" id={resumed_from} />] : null,
    batch && [
      "Batch",
      <TextLink key="batch" to="/batches/$id" params={{ id: batch.id }}>
        {batch.index + 1} of {batch.size}
        {batch.key && `, ${batch.key}`}
      </TextLink>,
    ],
    schedule
      ? [
          "Schedule",
          <TextLink key="schedule" to="/schedules/$id" params={{ id: schedule }}>
            …{schedule.slice(-8)}
          </TextLink>,
        ]
      : null,
    imported && [
      "Imported",
      <span key="imported">
        <RelativeTime at={imported.at} /> by {imported.by}; it was {imported.owner}’s,{" "}
        {sealed(imported.sealed)}
      </span>,
    ],
  ];
  return facts.filter((fact) => fact !== null);
}

function sealed(is: boolean): string {
  return is ? "and nobody has changed it on its way" : "and is not sealed with a key of ours";
}

/** Another execution, which may be gone by now. */
function Other({ id }: { id: string }) {
  const { data } = useExecution(id);
  return data ? <Brief record={data} /> : <IdLink id={id} />;
}

function Brief({ record }: { record: Execution }) {
  return (
    <Group gap="xs" component="span">
      <StatusBadge status={record.status} execution={record} />
      <IdLink id={record.id} />
      {record.name && (
        <Text component="span" fz="sm">
          {record.name}
        </Text>
      )}
      <Text component="span" fz="xs" c="dimmed">
        <RelativeTime at={record.created_at} />
      </Text>
    </Group>
  );
}

interface DescendantsProps {
  id: string;
  by: "rerun_of" | "resumed_from";
  title: string;
  none: string;
}

function Descendants({ id, by, title, none }: DescendantsProps) {
  const { data: page, error } = useQuery(descendantsQuery(id, by));
  return (
    <Panel title={title}>
      <ProblemView error={error} />
      {!page && !error && <Skeleton h={24} />}
      {page?.items.length === 0 && (
        <Text fz="sm" c="dimmed">
          {none}
        </Text>
      )}
      <List listStyleType="none" spacing={6}>
        {page?.items.map((record) => (
          <List.Item key={record.id}>
            <Brief record={record} />
          </List.Item>
        ))}
      </List>
      {page?.next && (
        <Text fz="xs" c="dimmed" mt={4}>
          These are the newest. There are more.
        </Text>
      )}
    </Panel>
  );
}
