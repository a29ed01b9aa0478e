import { Group, Stack, Text } from "@mantine/core";
import type { Execution } from "../api/types";
import { RelativeTime } from "../ui/RelativeTime";
import { StatusBadge } from "../ui/StatusBadge";
import { NameLink, RunTime, Standing } from "./columns";

/** One of a list, on a narrow screen. */
export function ExecutionCard({ execution }: { execution: Execution }) {
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text component="div" truncate miw={0}>
          <NameLink execution={execution} />
        </Text>
        <StatusBadge status={execution.status} />
      </Group>
      <Text component="div" fz="sm" truncate mih={22}>
        <Standing execution={execution} />
      </Text>
      <Group gap="sm" fz="xs" c="dimmed" wrap="nowrap">
        <RelativeTime at={execution.created_at} />
        <RunTime execution={execution} />
        <Text component="span" fz="xs" truncate>
          {execution.method ? `${execution.method.name}@${execution.method.version}` : execution.image}
        </Text>
      </Group>
    </Stack>
  );
}
