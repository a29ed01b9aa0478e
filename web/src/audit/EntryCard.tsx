import { Group, Stack, Text } from "@mantine/core";
import { RelativeTime } from "../ui/RelativeTime";
import { ActionButton, Outcome } from "./columns";
import { ObjectLink } from "./ObjectLink";
import type { Entry } from "./queries";

/** An entry on a narrow screen. */
export function EntryCard({ entry, onOpen }: { entry: Entry; onOpen: () => void }) {
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <ActionButton entry={entry} onOpen={onOpen} />
        <Outcome entry={entry} />
      </Group>
      <Text component="div" fz="sm" truncate>
        <ObjectLink object={entry.object} />
      </Text>
      <Text component="div" fz="xs" c="dimmed" truncate>
        {entry.actor}, <RelativeTime at={entry.at} />
      </Text>
    </Stack>
  );
}
