import { Button, Group, Skeleton, Text, Title } from "@mantine/core";
import { IconEdit } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { Page } from "../layout/Page";
import { useMay, useMe } from "../session/session";
import { useFresh } from "../stats/queries";
import { OwnerFilter } from "../ui/OwnerFilter";
import { ProblemView } from "../ui/ProblemView";
import ui from "../ui/ui.module.css";
import { FlowPanel } from "./FlowPanel";
import { LimitsDialog } from "./LimitsDialog";
import { OwnersPanel } from "./OwnersPanel";
import { mySharesQuery, quotaQuery } from "./queries";
import { SharesList } from "./SharesList";
import classes from "./Usage.module.css";

const route = getRouteApi("/shell/usage");

/** What somebody uses of what they may, and how it went; for admins of everybody, with their limits. */
export function UsagePage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const me = useMe();
  const isAdmin = useMay("admin");
  const owner = (isAdmin && search.owner) || me.owner;
  useFresh("usage", "stats");
  return (
    <Page
      title="Usage and quotas"
      lead={<Text c="dimmed">How much is in use, and how much may be.</Text>}
      actions={
        isAdmin && (
          <OwnerFilter
            key={search.owner ?? ""}
            owner={search.owner}
            placeholder={`Yours: ${me.owner}`}
            onChange={(next) => void navigate({ search: next ? { owner: next } : {} })}
          />
        )
      }
    >
      {isAdmin ? <AnyShares owner={owner} /> : <MyShares owner={owner} />}
      <FlowPanel owner={owner} />
      {isAdmin && <OwnersPanel shown={owner} />}
    </Page>
  );
}

function MyShares({ owner }: { owner: string }) {
  const { data: shares, error, isPending } = useQuery(mySharesQuery);
  return (
    <section className={`${ui.panel} ${classes.panel}`} aria-label={`What ${owner} uses`}>
      <Title order={2}>{owner}</Title>
      <ProblemView error={error} />
      {isPending && <Skeleton h={220} />}
      {shares && <SharesList shares={shares} />}
    </section>
  );
}

function AnyShares({ owner }: { owner: string }) {
  const { data: quota, error, isPending } = useQuery(quotaQuery(owner));
  const [isEditing, setEditing] = useState(false);
  return (
    <section className={`${ui.panel} ${classes.panel}`} aria-label={`What ${owner} uses`}>
      <Group justify="space-between" gap="xs">
        <Title order={2} className={classes.owner}>
          {owner}
        </Title>
        {quota && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconEdit size={14} />}
            onClick={() => setEditing(true)}
          >
            Change the limits
          </Button>
        )}
      </Group>
      <ProblemView error={error} />
      {isPending && <Skeleton h={220} />}
      {quota && <SharesList shares={quota.quota} />}
      {quota && isEditing && <LimitsDialog quota={quota} onClose={() => setEditing(false)} />}
    </section>
  );
}
