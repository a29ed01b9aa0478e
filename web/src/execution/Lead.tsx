import { Badge, Group, Text } from "@mantine/core";
import type { Execution } from "../api/types";
import { CopyButton } from "../ui/CopyButton";
import { TextLink } from "../ui/IdLink";
import { Labels } from "../ui/Labels";
import { StatusBadge } from "../ui/StatusBadge";
import ui from "../ui/ui.module.css";
import classes from "./Execution.module.css";

/** Under the title: how it stands, which it is, whose, and of what. */
export function Lead({ record }: { record: Execution }) {
  const { method } = record;
  return (
    <Group gap="xs" className={classes.lead}>
      <StatusBadge status={record.status} />
      {record.archived_at && (
        <Badge variant="default" tt="none" fw={500}>
          Archived
        </Badge>
      )}
      {record.delete_requested_at && (
        <Badge variant="default" tt="none" fw={500}>
          To be deleted
        </Badge>
      )}
      <Group gap={2} wrap="nowrap" miw={0}>
        <span className={`${ui.id} ${classes.id}`}>{record.id}</span>
        <CopyButton value={record.id} what="Copy its id" />
      </Group>
      {method && (
        <TextLink to="/methods/$name" params={{ name: method.name }} fz="sm">
          {method.name}@{method.version}
        </TextLink>
      )}
      <Text component="span" fz="sm" c="dimmed">
        {record.owner}
        {record.source !== "api" && ` · by ${record.source}`}
      </Text>
      <Labels labels={record.labels} />
    </Group>
  );
}

/** What it is called: its name, else its method, else the end of its id. */
export function titleOf({ name, method, id }: Pick<Execution, "name" | "method" | "id">): string {
  return name ?? method?.name ?? `Execution …${id.slice(-8)}`;
}
