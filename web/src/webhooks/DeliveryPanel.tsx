import { Button, Group, Skeleton, Stack, Table, Text } from "@mantine/core";
import { IconRefresh } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import { useMay } from "../session/session";
import { IdLink, TextLink } from "../ui/IdLink";
import { JsonView } from "../ui/JsonView";
import { say, showProblem } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { spell } from "../ui/time";
import { NextTry } from "./NextTry";
import { messageQuery, WEBHOOKS } from "./queries";
import { answerOf, type Delivery, type Webhook } from "./sending";
import classes from "./Webhooks.module.css";

/** One message: every try with its answer, what it says, and a way to send it again. */
export function DeliveryPanel({ webhook, delivery }: { webhook: Webhook; delivery: Delivery }) {
  const client = useQueryClient();
  const maySubmit = useMay("submit");
  const message = useQuery(messageQuery(webhook.id, delivery.id));
  const again = useMutation({
    mutationFn: () =>
      ask(
        api.POST("/v1/webhooks/{id}/deliveries/{delivery}/redeliver", {
          params: { path: { id: webhook.id, delivery: delivery.id } },
        }),
      ),
    onSuccess: async () => {
      say("It is sent again.");
      await client.invalidateQueries({ queryKey: WEBHOOKS });
    },
    onError: showProblem,
  });
  return (
    <Stack gap="sm">
      <Group justify="space-between" gap="xs">
        <Text fz="sm" c="dimmed" component="div" className={classes.about}>
          <span>
            <code>{delivery.message_id}</code>
          </span>
          {delivery.execution && (
            <span>
              Execution <IdLink id={delivery.execution} />
            </span>
          )}
          {delivery.batch && (
            <TextLink to="/batches/$id" params={{ id: delivery.batch }}>
              Its batch
            </TextLink>
          )}
          {delivery.next_at && (
            <span>
              Next try <NextTry at={delivery.next_at} />
            </span>
          )}
          {delivery.done_at && (
            <span>
              {delivery.state === "delivered" ? "Arrived" : "Given up"} <RelativeTime at={delivery.done_at} />
            </span>
          )}
        </Text>
        {maySubmit && (
          <Button
            size="xs"
            variant="default"
            loading={again.isPending}
            disabled={!webhook.enabled}
            leftSection={<IconRefresh size={14} />}
            onClick={() => again.mutate()}
          >
            Send again
          </Button>
        )}
      </Group>
      <Tries delivery={delivery} />
      {message.isPending && <Skeleton h={80} />}
      <ProblemView error={message.error} />
      {message.data && <JsonView value={message.data} label="The message" />}
    </Stack>
  );
}

function Tries({ delivery: { log } }: { delivery: Delivery }) {
  if (log.length === 0) return null;
  return (
    <section className={classes.tries} aria-label="Every try" tabIndex={0}>
      <Table fz="sm" verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Tried</Table.Th>
            <Table.Th scope="col">Took</Table.Th>
            <Table.Th scope="col">What came of it</Table.Th>
            <Table.Th scope="col">Answer</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {log.map((each) => (
            <Table.Tr key={each.at}>
              <Table.Td className={classes.narrow}>
                <RelativeTime at={each.at} />
              </Table.Td>
              <Table.Td className={classes.narrow}>{spell(each.seconds)}</Table.Td>
              <Table.Td>{answerOf(each)}</Table.Td>
              <Table.Td className={classes.response}>{each.response || "–"}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </section>
  );
}
