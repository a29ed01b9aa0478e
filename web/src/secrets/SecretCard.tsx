import { Group, Stack, Text } from "@mantine/core";
import { RelativeTime } from "../ui/RelativeTime";
import { LastUse } from "./columns";
import type { Secret } from "./queries";
import { type Acts, SecretActs } from "./SecretActs";

/** A secret on a narrow screen. */
export function SecretCard({ secret, acts }: { secret: Secret; acts: Acts | null }) {
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text component="code" truncate miw={0} ff="monospace" fz="sm">
          {secret.name}
        </Text>
        {acts && <SecretActs secret={secret} acts={acts} />}
      </Group>
      <Text component="div" fz="xs" c="dimmed">
        Value from <RelativeTime at={secret.changed_at} />, last used: <LastUse secret={secret} />
      </Text>
    </Stack>
  );
}
