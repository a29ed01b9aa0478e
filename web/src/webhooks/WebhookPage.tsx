import { Skeleton, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Page } from "../layout/Page";
import { useFresh } from "../stats/queries";
import { Fact, FactList } from "../ui/Fact";
import { TextLink } from "../ui/IdLink";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { useCoarseNow } from "../ui/time";
import ui from "../ui/ui.module.css";
import { DeliveryLog } from "./DeliveryLog";
import { webhookQuery } from "./queries";
import { spellEvents, spellFilter, standingOf, type Webhook } from "./sending";
import { WebhookActions } from "./WebhookActions";
import { WebhookMark } from "./WebhookMark";
import classes from "./Webhooks.module.css";

const route = getRouteApi("/shell/webhooks/$id");

/** One webhook: what it sends where, and what came of each message. */
export function WebhookPage() {
  const { id } = route.useParams();
  const { state } = route.useSearch();
  const navigate = route.useNavigate();
  const { data: webhook, error } = useQuery(webhookQuery(id));
  useFresh("webhooks");
  if (!webhook)
    return (
      <Page title="Webhook">{error ? <ProblemView error={error} /> : <Skeleton h={300} radius="md" />}</Page>
    );
  return (
    <Page
      title={`Webhook to ${new URL(webhook.url).host}`}
      lead={
        <Text className={classes.address} c="dimmed">
          {webhook.url}
        </Text>
      }
      actions={<WebhookActions webhook={webhook} />}
    >
      <Facts webhook={webhook} />
      <Title order={2}>Deliveries</Title>
      <DeliveryLog
        webhook={webhook}
        state={state ?? null}
        onState={(next) => void navigate({ search: next ? { state: next } : {}, replace: true })}
      />
    </Page>
  );
}

function Facts({ webhook }: { webhook: Webhook }) {
  const { why } = standingOf(webhook, useCoarseNow());
  const { events, owner, description, failing_since, paused_until, dropped, signed, execution, batch } =
    webhook;
  return (
    <section className={`${ui.panel} ${classes.panel}`} aria-label="How it is set">
      <FactList>
        <Fact name="State">
          <WebhookMark webhook={webhook} />
          {why && <Text fz="sm">{why}</Text>}
        </Fact>
        <Fact name="What is sent">{spellEvents(events)}</Fact>
        <Fact name="Of what">
          {spellFilter(webhook)}
          {execution && (
            <>
              {" "}
              <TextLink to="/executions/$id" params={{ id: execution }}>
                It
              </TextLink>
            </>
          )}
          {batch && (
            <>
              {" "}
              <TextLink to="/batches/$id" params={{ id: batch }}>
                It
              </TextLink>
            </>
          )}
        </Fact>
        <Fact name="Owner">{owner === "*" ? "everybody" : owner}</Fact>
        <Fact name="Signed">{signed ? "Yes" : "No: it has no secret"}</Fact>
        <Fact name="Changed">
          <RelativeTime at={webhook.updated_at} />
        </Fact>
        {description && <Fact name="Description">{description}</Fact>}
        {failing_since && (
          <Fact name="Fails since">
            <RelativeTime at={failing_since} />
          </Fact>
        )}
        {paused_until && (
          <Fact name="Tried again">
            <RelativeTime at={paused_until} />
          </Fact>
        )}
        {dropped > 0 && <Fact name="Dropped">{dropped.toLocaleString()}: too many were waiting</Fact>}
      </FactList>
    </section>
  );
}
