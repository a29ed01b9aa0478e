import { Button, Group, Skeleton, Switch, Text } from "@mantine/core";
import { IconKey, IconPlus } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { Page } from "../layout/Page";
import { useMay } from "../session/session";
import { DataTable } from "../ui/DataTable";
import { EmptyState } from "../ui/EmptyState";
import { OwnerFilter } from "../ui/OwnerFilter";
import { ProblemView } from "../ui/ProblemView";
import { columnsOf } from "./columns";
import type { Token } from "./granting";
import { KindFilter } from "./KindFilter";
import { NewTokenDialog } from "./NewTokenDialog";
import { type TokenSearch, tokensQuery } from "./queries";
import { RevokeDialog } from "./RevokeDialog";
import { TokenCard } from "./TokenCard";

const route = getRouteApi("/shell/tokens");

/** Who may come in, and with what: make tokens, and revoke them. */
export function TokensPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const isAdmin = useMay("admin");
  const [isMaking, setMaking] = useState(false);
  const [revoked, setRevoked] = useState<Token | null>(null);
  const query = useInfiniteQuery(tokensQuery(search));
  const tokens = query.data?.pages.flatMap(({ items }) => items) ?? [];
  // Who began a session is not among the sessions.
  const known = useInfiniteQuery({
    ...tokensQuery({ owner: search.owner }),
    enabled: search.kind !== undefined,
  });
  const names = new Map(
    [...(known.data?.pages.flatMap(({ items }) => items) ?? []), ...tokens].map(({ id, name }) => [id, name]),
  );
  const narrow = (change: { [Name in keyof TokenSearch]: TokenSearch[Name] | undefined }) =>
    void navigate({ search: (before) => given({ ...before, ...change }), replace: true });
  return (
    <Page
      title="Tokens"
      lead={<Text c="dimmed">What programs come in with, and browsers that are logged in.</Text>}
      actions={
        <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
          New token
        </Button>
      }
    >
      <Group gap="md">
        {isAdmin && <OwnerFilter owner={search.owner} onChange={(owner) => narrow({ owner })} />}
        <KindFilter kind={search.kind} onChange={(kind) => narrow({ kind })} />
        <Switch
          label="Also those that are over"
          checked={search.all ?? false}
          onChange={({ currentTarget: { checked } }) => narrow({ all: checked || undefined })}
        />
      </Group>
      <ProblemView error={query.error} />
      {query.isPending ? (
        <Skeleton h={240} radius="md" />
      ) : (
        <DataTable
          label="Tokens"
          rows={tokens}
          columns={columnsOf(names, setRevoked)}
          rowKey={({ id }) => id}
          card={(token) => <TokenCard token={token} names={names} onRevoke={() => setRevoked(token)} />}
          cardHeight={116}
          height="calc(100dvh - 16rem)"
          onEnd={
            query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : undefined
          }
          empty={
            <EmptyState
              icon={IconKey}
              title="Nothing here"
              text="Of this owner and kind there is none that is valid."
            />
          }
        />
      )}
      {isMaking && <NewTokenDialog onClose={() => setMaking(false)} />}
      {revoked && <RevokeDialog token={revoked} onClose={() => setRevoked(null)} />}
    </Page>
  );
}

/** Without what is not given. */
function given({
  owner,
  kind,
  all,
}: { [Name in keyof TokenSearch]: TokenSearch[Name] | undefined }): TokenSearch {
  return { ...(owner && { owner }), ...(kind && { kind }), ...(all && { all }) };
}
