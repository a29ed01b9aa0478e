import { Badge, Group, Text } from "@mantine/core";
import { useMe } from "../session/session";
import { RelativeTime } from "../ui/RelativeTime";
import { stateOf, type Token } from "./granting";

interface TokenNameProps {
  token: Token;
  /** The names of those that are known, by their ids. */
  names: ReadonlyMap<string, string>;
}

/** What a token is for, of which kind it is, and whether it is the one in use. A session has no name but its maker's. */
export function TokenName({ token, names }: TokenNameProps) {
  const { token_id } = useMe();
  const { id, kind } = token;
  const maker = token.made_by && names.get(token.made_by);
  const name = kind !== "session" ? token.name : maker ? `by ${maker}` : "in a browser";
  return (
    <Group gap={6} wrap="nowrap" miw={0} component="span">
      {kind !== "token" && (
        <Badge size="sm" variant="default" tt="none" fw={500} flex="none">
          {kind === "session" ? "Session" : "Issuer’s"}
        </Badge>
      )}
      <Text component="span" fz="sm" fw={550} truncate title={name}>
        {name}
      </Text>
      {id === token_id && (
        <Badge size="sm" variant="light" tt="none" flex="none">
          In use here
        </Badge>
      )}
    </Group>
  );
}

/** What it may do: its role, else its scopes. */
export function ScopeList({ token: { role, scopes } }: { token: Token }) {
  const all = scopes.join(", ");
  if (!role) return <span>{all}</span>;
  return <span title={all}>{role === "admin" ? "admin: everything" : `${role}: ${all}`}</span>;
}

/** Until when it is valid, or since when it is over. */
export function Expiry({ token }: { token: Token }) {
  const state = stateOf(token, Date.now());
  if (state === "revoked")
    return (
      <Text component="span" fz="sm" c="dimmed">
        Revoked <RelativeTime at={token.revoked_at} />
      </Text>
    );
  if (state === "expired")
    return (
      <Text component="span" fz="sm" c="dimmed">
        Expired <RelativeTime at={token.expires_at} />
      </Text>
    );
  return token.expires_at ? <RelativeTime at={token.expires_at} /> : <span>Never</span>;
}
