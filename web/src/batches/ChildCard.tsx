import { Group, Stack, Text } from "@mantine/core";
import type { Execution } from "../api/types";
import { ProgressBar } from "../ui/ProgressBar";
import { reasonOf, StatusBadge } from "../ui/StatusBadge";
import { ChildLink } from "./ChildLink";

interface ChildCardProps {
  child: Execution;
  /** The inputs in which the children differ. */
  names: readonly string[];
}

/** A child, on a narrow screen: its place, and what it has of its own. */
export function ChildCard({ child, names }: ChildCardProps) {
  const own = names.map((name) => `${name} ${JSON.stringify(child.inputs[name] ?? null)}`).join(", ");
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text component="div" truncate miw={0}>
          <Text component="span" c="dimmed" fz="sm" className="tabular">
            #{child.lineage.batch?.index ?? "–"}
          </Text>{" "}
          <ChildLink child={child} />
        </Text>
        <StatusBadge status={child.status} />
      </Group>
      {own && (
        <Text fz="sm" truncate>
          {own}
        </Text>
      )}
      {child.progress && !child.finished_at ? (
        <ProgressBar progress={child.progress} withPhase />
      ) : (
        <Text fz="xs" c="dimmed" truncate>
          {child.cause === "ok" ? child.image : reasonOf(child.status, child)}
        </Text>
      )}
    </Stack>
  );
}
