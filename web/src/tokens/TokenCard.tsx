import { Group, Stack, Text } from "@mantine/core";
import { RelativeTime } from "../ui/RelativeTime";
import { RevokeButton } from "./columns";
import type { Token } from "./granting";
import { Expiry, ScopeList, TokenName } from "./TokenParts";

interface TokenCardProps {
  token: Token;
  names: ReadonlyMap<string, string>;
  onRevoke: () => void;
}

/** A token on a narrow screen. */
export function TokenCard({ token, names, onRevoke }: TokenCardProps) {
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <TokenName token={token} names={names} />
        <RevokeButton token={token} onRevoke={onRevoke} />
      </Group>
      <Text component="div" fz="sm" truncate>
        {token.owner} · <ScopeList token={token} />
      </Text>
      <Text component="div" fz="xs" c="dimmed">
        Ends: <Expiry token={token} />
      </Text>
      <Text component="div" fz="xs" c="dimmed">
        Last used: <RelativeTime at={token.last_used_at} />
      </Text>
    </Stack>
  );
}
