import { Button, Group, Paper, Skeleton, Stack, Switch, Text, Title } from "@mantine/core";
import { IconEdit, IconForms, IconRefresh, IconTrash } from "@tabler/icons-react";
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { api, ask } from "../api/client";
import type { Schemas } from "../api/types";
import { Page } from "../layout/Page";
import { useMay } from "../session/session";
import { prefillOf } from "../submit/prefill";
import { ButtonLink } from "../ui/ButtonLink";
import { ConfirmButton } from "../ui/ConfirmButton";
import { type Column, DataTable } from "../ui/DataTable";
import { Fact, FactList } from "../ui/Fact";
import { JsonView } from "../ui/JsonView";
import { Labels } from "../ui/Labels";
import { showProblem } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { StateMark } from "../ui/StateMark";
import { MadeLinks } from "./MadeLinks";
import { PostingExample } from "./PostingExample";
import { type Delivery, deliveriesQuery, TRIGGERS, type Trigger, triggerQuery, useFresh } from "./queries";
import classes from "./Schedules.module.css";
import { TriggerDialog } from "./TriggerDialog";
import { TriggerOnce } from "./TriggerOnce";

const route = getRouteApi("/shell/triggers/$id");

const COLUMNS: Column<Delivery>[] = [
  { id: "at", title: "Posted", width: 120, cell: ({ at }) => <RelativeTime at={at} /> },
  {
    id: "status",
    title: "What came of it",
    width: 140,
    cell: (delivery) => <DeliveryMark delivery={delivery} />,
  },
  { id: "made", title: "Submitted", width: 190, cell: ({ made }) => <MadeLinks made={made ? [made] : []} /> },
  { id: "why", title: "Why", width: 300, cell: ({ problem }) => whyOf(problem) },
  { id: "key", title: "Key", width: 200, cell: ({ key }) => <code title={key}>{key}</code> },
];

/** One trigger: what posts to it become, and what came of each. */
export function TriggerPage() {
  const { id } = route.useParams();
  const query = useQuery(triggerQuery(id));
  const deliveries = useInfiniteQuery(deliveriesQuery(id));
  useFresh(TRIGGERS);
  const trigger = query.data;
  if (!trigger)
    return (
      <Page title="Trigger">
        {query.error ? <ProblemView error={query.error} /> : <Skeleton h={300} radius="md" />}
      </Page>
    );
  return (
    <Page
      title={trigger.name}
      lead={
        <StateMark tone={trigger.enabled ? "good" : "idle"}>
          {trigger.enabled ? "Enabled" : "Paused"}
        </StateMark>
      }
    >
      <Settings trigger={trigger} />
      <Title order={2} fz="md">
        What was posted
      </Title>
      <DataTable
        label="Deliveries"
        rows={deliveries.data?.pages.flatMap(({ items }) => items) ?? []}
        columns={COLUMNS}
        rowKey={({ at, key }) => `${at} ${key}`}
        height="26rem"
        onEnd={
          deliveries.hasNextPage && !deliveries.isFetchingNextPage
            ? () => void deliveries.fetchNextPage()
            : undefined
        }
        empty={<Text c="dimmed">{deliveries.isPending ? "Looking …" : "Nothing in the last 24 hours."}</Text>}
      />
      {trigger.signature && (
        <PostingExample
          trigger={trigger}
          address={location.origin + trigger.links.deliveries}
          secret={null}
        />
      )}
      <Title order={2} fz="md">
        What it submits
      </Title>
      <JsonView value={trigger.target} label="What it submits" />
    </Page>
  );
}

function Settings({ trigger }: { trigger: Trigger }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const maySubmit = useMay("submit");
  const [shown, setShown] = useState<Schemas["NewTriggerView"] | null>(null);
  const [isEditing, setEditing] = useState(false);
  const params = { path: { id: trigger.id } };
  const refresh = () => client.invalidateQueries({ queryKey: TRIGGERS });
  const toggle = useMutation({
    mutationFn: (enabled: boolean) => ask(api.PATCH("/v1/triggers/{id}", { params, body: { enabled } })),
    onSuccess: refresh,
    onError: showProblem,
  });
  const rotate = async () => {
    setShown(await ask(api.POST("/v1/triggers/{id}/rotate", { params })));
    await refresh();
  };
  const remove = async () => {
    await api.DELETE("/v1/triggers/{id}", { params });
    await navigate({ to: "/schedules", search: { show: "triggers" } });
    await refresh();
  };
  return (
    <Paper withBorder radius="md" p="md" component="section" aria-label="How it is set">
      <Stack gap="md">
        {shown && <TriggerOnce made={shown} onClose={() => setShown(null)} />}
        {isEditing && <TriggerDialog trigger={trigger} onClose={() => setEditing(false)} />}
        <FactList>
          <Fact name="Proved by">{trigger.signature ?? "The token in its address"}</Fact>
          <Fact name="Most in a minute">{trigger.max_per_minute}</Fact>
          <Fact name="All that is posted">{trigger.payload_input ?? "Each key is an input"}</Fact>
          <Fact name="Last used">
            <RelativeTime at={trigger.last_used_at} />
          </Fact>
          <Fact name="Owner">{trigger.owner}</Fact>
          {trigger.note && <Fact name="Note">{trigger.note}</Fact>}
          {Object.keys(trigger.labels).length > 0 && (
            <Fact name="Labels">
              <Labels labels={trigger.labels} />
            </Fact>
          )}
        </FactList>
        <Group>
          <Switch
            label="It takes what is posted"
            checked={trigger.enabled}
            disabled={!maySubmit || toggle.isPending}
            onChange={({ currentTarget }) => toggle.mutate(currentTarget.checked)}
          />
          <Button
            size="compact-md"
            variant="default"
            disabled={!maySubmit}
            leftSection={<IconEdit size={16} />}
            onClick={() => setEditing(true)}
          >
            Change
          </Button>
          {maySubmit && prefillOf(trigger.target) && (
            <ButtonLink
              size="compact-md"
              variant="default"
              to="/submit"
              search={{ trigger: trigger.id }}
              leftSection={<IconForms size={16} />}
            >
              Edit what it submits
            </ButtonLink>
          )}
          <ConfirmButton
            size="compact-md"
            variant="default"
            disabled={!maySubmit}
            leftSection={<IconRefresh size={16} />}
            question={trigger.signature ? "Make a new secret?" : "Make a new address?"}
            consequence={
              trigger.signature
                ? "The one before is good for another day."
                : "That before leads nowhere any more."
            }
            confirm="Make it"
            onConfirm={rotate}
          >
            {trigger.signature ? "New secret" : "New address"}
          </ConfirmButton>
          <ConfirmButton
            size="compact-md"
            variant="subtle"
            color="red"
            disabled={!maySubmit}
            leftSection={<IconTrash size={16} />}
            question={`Delete the trigger ${trigger.name}?`}
            consequence="What it has submitted stays."
            onConfirm={remove}
          >
            Delete
          </ConfirmButton>
        </Group>
      </Stack>
    </Paper>
  );
}

function DeliveryMark({ delivery }: { delivery: Delivery }) {
  return (
    <StateMark tone={delivery.made ? "good" : "bad"}>{delivery.made ? "Submitted" : "Refused"}</StateMark>
  );
}

function whyOf(problem: Delivery["problem"]): ReactNode {
  const detail = problem?.["detail"];
  return typeof detail === "string" ? (
    <span className={classes.message} title={detail}>
      {detail}
    </span>
  ) : (
    "–"
  );
}
