import { Button, Group, Skeleton, Stack, Text } from "@mantine/core";
import { IconPlus, IconWebhook } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Page } from "../layout/Page";
import { useMay } from "../session/session";
import { useFresh } from "../stats/queries";
import { type Column, DataTable } from "../ui/DataTable";
import { EmptyState } from "../ui/EmptyState";
import { TextLink } from "../ui/IdLink";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { webhooksQuery } from "./queries";
import { spellEvents, spellFilter, type Webhook } from "./sending";
import { WebhookDialog } from "./WebhookDialog";
import { WebhookMark } from "./WebhookMark";

const COLUMNS: Column<Webhook>[] = [
  { id: "state", title: "State", width: 120, cell: (webhook) => <WebhookMark webhook={webhook} /> },
  { id: "url", title: "Address", width: 260, cell: (webhook) => <AddressLink webhook={webhook} /> },
  { id: "events", title: "What is sent", width: 190, cell: ({ events }) => said(spellEvents(events)) },
  { id: "filter", title: "Of what", width: 210, cell: (webhook) => said(spellFilter(webhook)) },
  { id: "owner", title: "Owner", width: 110, cell: ({ owner }) => (owner === "*" ? "everybody" : owner) },
  { id: "made", title: "Made", width: 110, cell: ({ created_at }) => <RelativeTime at={created_at} /> },
];

/** Which servers are told what happens to executions. */
export function WebhooksPage() {
  const maySubmit = useMay("submit");
  const [isMaking, setMaking] = useState(false);
  const query = useInfiniteQuery(webhooksQuery);
  useFresh("webhooks");
  return (
    <Page
      title="Webhooks"
      lead={<Text c="dimmed">Servers that are told what happens to executions and batches.</Text>}
      actions={
        maySubmit && (
          <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
            New webhook
          </Button>
        )
      }
    >
      <ProblemView error={query.error} />
      {query.isPending ? (
        <Skeleton h={240} radius="md" />
      ) : (
        <DataTable
          label="Webhooks"
          rows={query.data?.pages.flatMap(({ items }) => items) ?? []}
          columns={COLUMNS}
          rowKey={({ id }) => id}
          card={(webhook) => <WebhookCard webhook={webhook} />}
          cardHeight={96}
          onEnd={
            query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : undefined
          }
          empty={
            <EmptyState
              icon={IconWebhook}
              title="No webhook yet"
              text="A webhook posts a signed message to a server of yours when something happens, until it arrives."
            />
          }
        />
      )}
      {isMaking && <WebhookDialog onClose={() => setMaking(false)} />}
    </Page>
  );
}

function AddressLink({ webhook: { id, url, description } }: { webhook: Webhook }) {
  return (
    <TextLink to="/webhooks/$id" params={{ id }} title={description ?? url} fw={550}>
      {url.replace(/^https:\/\//, "")}
    </TextLink>
  );
}

function said(text: string) {
  return <span title={text}>{text}</span>;
}

function WebhookCard({ webhook }: { webhook: Webhook }) {
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text component="div" truncate miw={0}>
          <AddressLink webhook={webhook} />
        </Text>
        <WebhookMark webhook={webhook} />
      </Group>
      <Text fz="sm" truncate>
        {spellEvents(webhook.events)}
      </Text>
      <Text fz="xs" c="dimmed" truncate>
        {spellFilter(webhook)}
      </Text>
    </Stack>
  );
}
