import { Button, Group, Skeleton, Stack, Text } from "@mantine/core";
import { IconBell, IconPlus } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Page } from "../layout/Page";
import { useMay } from "../session/session";
import { type Column, DataTable } from "../ui/DataTable";
import { EmptyState } from "../ui/EmptyState";
import { TextLink } from "../ui/IdLink";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { rulesQuery } from "./queries";
import { RuleDialog } from "./RuleDialog";
import { RuleMark } from "./RuleMark";
import { type Rule, spellOfWhat, spellWhen } from "./telling";

const COLUMNS: Column<Rule>[] = [
  { id: "state", title: "State", width: 120, cell: (rule) => <RuleMark rule={rule} /> },
  { id: "name", title: "By", width: 200, cell: (rule) => <RuleLink rule={rule} /> },
  { id: "when", title: "When", width: 300, cell: (rule) => said(spellWhen(rule)) },
  { id: "what", title: "Of what", width: 190, cell: (rule) => said(spellOfWhat(rule)) },
  { id: "owner", title: "Owner", width: 100, cell: ({ owner }) => (owner === "*" ? "everybody" : owner) },
  { id: "made", title: "Made", width: 96, cell: ({ created_at }) => <RelativeTime at={created_at} /> },
];

/** Which people are told how executions end, by mail or chat. */
export function NotificationsPage() {
  const maySubmit = useMay("submit");
  const navigate = useNavigate();
  const [isMaking, setMaking] = useState(false);
  const query = useInfiniteQuery(rulesQuery);
  return (
    <Page
      title="Notifications"
      lead={<Text c="dimmed">Who is told by mail or chat how executions and batches end.</Text>}
      actions={
        maySubmit && (
          <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
            New rule
          </Button>
        )
      }
    >
      <ProblemView error={query.error} />
      {query.isPending ? (
        <Skeleton h={240} radius="md" />
      ) : (
        query.data && (
          <DataTable
            label="Rules"
            rows={query.data.pages.flatMap(({ items }) => items)}
            columns={COLUMNS}
            rowKey={({ id }) => id}
            card={(rule) => <RuleCard rule={rule} />}
            cardHeight={96}
            onEnd={
              query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : undefined
            }
            empty={
              <EmptyState
                icon={IconBell}
                title="No rule yet"
                text="A rule tells somebody by mail or chat when something fails: each time, or once so many in a row have."
              />
            }
          />
        )
      )}
      {isMaking && (
        <RuleDialog
          onClose={() => setMaking(false)}
          onMade={(id) => void navigate({ to: "/notifications/$id", params: { id } })}
        />
      )}
    </Page>
  );
}

/** By what a rule tells, or what it is there for; the way to it. */
function RuleLink({ rule: { id, channel, description } }: { rule: Rule }) {
  return (
    <TextLink to="/notifications/$id" params={{ id }} title={description ?? channel} fw={550}>
      {description ?? channel}
    </TextLink>
  );
}

function said(text: string) {
  return <span title={text}>{text}</span>;
}

function RuleCard({ rule }: { rule: Rule }) {
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text component="div" truncate miw={0}>
          <RuleLink rule={rule} />
        </Text>
        <RuleMark rule={rule} />
      </Group>
      <Text fz="sm" truncate>
        {spellWhen(rule)}
      </Text>
      <Text fz="xs" c="dimmed" truncate>
        {spellOfWhat(rule)}
      </Text>
    </Stack>
  );
}
