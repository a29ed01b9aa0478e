import { Accordion, Button, Group, SegmentedControl, Skeleton, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { StateMark } from "../ui/StateMark";
import { DeliveryPanel } from "./DeliveryPanel";
import { NextTry } from "./NextTry";
import { deliveriesQuery } from "./queries";
import { answerOf, DELIVERIES, type Delivery, type Webhook } from "./sending";
import classes from "./Webhooks.module.css";

type State = Delivery["state"];

interface DeliveryLogProps {
  webhook: Webhook;
  /** Only those; null for all. */
  state: State | null;
  onState: (state: State | null) => void;
}

const ALL = "all";

/** What was sent, the newest first, and what came of it. */
export function DeliveryLog({ webhook, state, onState }: DeliveryLogProps) {
  const query = useInfiniteQuery(deliveriesQuery(webhook.id, state));
  const [opened, setOpened] = useState<string | null>(null);
  const deliveries = query.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <>
      <SegmentedControl
        className={classes.states}
        aria-label="Which deliveries"
        value={state ?? ALL}
        data={[
          { value: ALL, label: "All" },
          ...Object.entries(DELIVERIES).map(([value, { word }]) => ({ value, label: word })),
        ]}
        onChange={(next) => onState(isState(next) ? next : null)}
      />
      <ProblemView error={query.error} />
      {query.isPending && <Skeleton h={160} radius="md" />}
      {query.data && deliveries.length === 0 && (
        <Text c="dimmed">{state ? "None of these." : "Nothing was sent yet: send a test."}</Text>
      )}
      {deliveries.length > 0 && (
        <Accordion value={opened} onChange={setOpened} variant="contained" className={classes.log}>
          {deliveries.map((delivery) => (
            <Accordion.Item key={delivery.id} value={delivery.id}>
              <Accordion.Control>
                <Line delivery={delivery} />
              </Accordion.Control>
              <Accordion.Panel>
                {opened === delivery.id && <DeliveryPanel webhook={webhook} delivery={delivery} />}
              </Accordion.Panel>
            </Accordion.Item>
          ))}
        </Accordion>
      )}
      {query.hasNextPage && (
        <Group justify="center">
          <Button
            variant="default"
            loading={query.isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            Show more
          </Button>
        </Group>
      )}
    </>
  );
}

function Line({ delivery }: { delivery: Delivery }) {
  const { state, event, log, next_at, created_at } = delivery;
  const { word, tone } = DELIVERIES[state];
  const last = log.at(-1);
  return (
    <span className={classes.line}>
      <StateMark tone={tone}>{word}</StateMark>
      <span className={classes.event}>{event}</span>
      <span className={classes.answer} title={last ? answerOf(last) : undefined}>
        {last ? answerOf(last) : "Not tried yet"}
        {next_at && last && (
          <>
            , again <NextTry at={next_at} />
          </>
        )}
      </span>
      <span className={classes.when}>
        <RelativeTime at={created_at} />
      </span>
    </span>
  );
}

function isState(value: string): value is State {
  return value in DELIVERIES;
}
