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
import { NewTokenDialog } from "./NewTokenDialog";
import { tokensQuery } from "./queries";
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
  return (
    <Page
      title="Tokens"
      lead={
        <Text c="dimmed">What programs and people come in with. Each is shown once, when it is made.</Text>
      }
      actions={
        <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
          New token
        </Button>
      }
    >
      <Group gap="md">
        {isAdmin && (
          <OwnerFilter
            owner={search.owner}
            onChange={(owner) =>
              void navigate({
                search: ({ all }) => ({ ...(all && { all }), ...(owner && { owner }) }),
                replace: true,
              })
            }
          />
        )}
        <Switch
          label="Also those that are over"
          checked={search.all ?? false}
          onChange={({ currentTarget: { checked } }) =>
            void navigate({
              search: ({ owner }) => ({ ...(owner && { owner }), ...(checked && { all: true as const }) }),
              replace: true,
            })
          }
        />
      </Group>
      <ProblemView error={query.error} />
      {query.isPending ? (
        <Skeleton h={240} radius="md" />
      ) : (
        <DataTable
          label="Tokens"
          rows={tokens}
          columns={columnsOf(setRevoked)}
          rowKey={({ id }) => id}
          card={(token) => <TokenCard token={token} onRevoke={() => setRevoked(token)} />}
          cardHeight={116}
          height="calc(100dvh - 16rem)"
          onEnd={
            query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : undefined
          }
          empty={
            <EmptyState icon={IconKey} title="No token" text="Of this owner there is none that is valid." />
          }
        />
      )}
      {isMaking && <NewTokenDialog onClose={() => setMaking(false)} />}
      {revoked && <RevokeDialog token={revoked} onClose={() => setRevoked(null)} />}
    </Page>
  );
}
