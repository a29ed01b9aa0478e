import { Group, Skeleton, Text } from "@mantine/core";
import { IconHistory } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { Page } from "../layout/Page";
import { useMay } from "../session/session";
import { DataTable } from "../ui/DataTable";
import { EmptyState } from "../ui/EmptyState";
import { ProblemView } from "../ui/ProblemView";
import { AuditFilters } from "./AuditFilters";
import { columnsOf } from "./columns";
import { EntryCard } from "./EntryCard";
import { EntryDialog } from "./EntryDialog";
import { ExportMenu } from "./ExportMenu";
import { Narrowed } from "./Narrowed";
import { auditQuery, type Entry } from "./queries";
import type { AuditSearch } from "./search";

const route = getRouteApi("/shell/audit");

/** Who did what: every request that changed something, or was refused. */
export function AuditPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const isAdmin = useMay("admin");
  const [opened, setOpened] = useState<Entry | null>(null);
  const query = useInfiniteQuery(auditQuery(search));
  const entries = query.data?.pages.flatMap(({ items }) => items) ?? [];
  const narrow = (next: AuditSearch) => {
    setOpened(null);
    void navigate({ search: next });
  };
  return (
    <Page
      title="Audit log"
      lead={
        <Text c="dimmed">
          {isAdmin
            ? "Every request that changed something, and those that were refused."
            : "What was done to what is yours, by whomever, and what you were refused."}
        </Text>
      }
      actions={<ExportMenu search={search} />}
    >
      <Group gap="xs">
        <AuditFilters
          search={search}
          actions={[...new Set(entries.map(({ action }) => action))]}
          onChange={narrow}
        />
        <Narrowed search={search} onChange={narrow} />
      </Group>
      <ProblemView error={query.error} />
      {query.isPending ? (
        <Skeleton h={300} radius="md" />
      ) : (
        query.data && (
          <DataTable
            label="Audit log"
            rows={entries}
            columns={columnsOf(setOpened)}
            rowKey={({ id }) => String(id)}
            card={(entry) => <EntryCard entry={entry} onOpen={() => setOpened(entry)} />}
            cardHeight={104}
            onEnd={
              query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : undefined
            }
            empty={
              <EmptyState
                icon={IconHistory}
                title="Nothing is on record"
                text="Nothing was changed that fits these filters, as far as you may see and entries are kept."
              />
            }
          />
        )
      )}
      {opened && (
        <EntryDialog entry={opened} search={search} onNarrow={narrow} onClose={() => setOpened(null)} />
      )}
    </Page>
  );
}
