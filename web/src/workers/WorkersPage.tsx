import { Button, Skeleton, Stack, Switch, Text } from "@mantine/core";
import { IconPlus, IconServer2 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { Page } from "../layout/Page";
import { useMay } from "../session/session";
import { useFresh } from "../stats/queries";
import { EmptyState } from "../ui/EmptyState";
import { ProblemView } from "../ui/ProblemView";
import { NewPoolForm } from "./NewPoolForm";
import { PoolPanel } from "./PoolPanel";
import { freshPoolsQuery, workersQuery } from "./queries";
import { byPool } from "./standing";

const route = getRouteApi("/shell/workers");

/** The pools with their workers: what each runs, how it is, and what it may be told. */
export function WorkersPage() {
  const { gone = false } = route.useSearch();
  const navigate = route.useNavigate();
  const isAdmin = useMay("admin");
  const [isMaking, setMaking] = useState(false);
  const workers = useQuery(workersQuery(gone));
  const pools = useQuery(freshPoolsQuery);
  useFresh("workers", "pools");
  const isPending = workers.isPending || pools.isPending;
  const staffed = byPool(pools.data?.items ?? [], workers.data?.items ?? []);
  return (
    <Page
      title="Workers and pools"
      lead={<Text c="dimmed">Who runs executions, by the pool that they are submitted to.</Text>}
      actions={
        isAdmin && (
          <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
            New pool
          </Button>
        )
      }
    >
      <ProblemView error={workers.error ?? pools.error} />
      <Switch
        label="Also workers that went in the last 24 hours"
        checked={gone}
        onChange={({ currentTarget: { checked } }) =>
          void navigate({ search: checked ? { gone: true } : {}, replace: true })
        }
      />
      {isPending && !workers.error && !pools.error ? (
        <Skeleton h={240} radius="md" />
      ) : (
        <Stack gap="md">
          {staffed.map((each) => (
            <PoolPanel key={each.name} staffed={each} />
          ))}
          {staffed.length === 0 && pools.data && (
            <EmptyState
              icon={IconServer2}
              title="No pool yet"
              text="Make one, and start a worker with its name."
            />
          )}
        </Stack>
      )}
      {isMaking && <NewPoolForm onClose={() => setMaking(false)} />}
    </Page>
  );
}
