import { Button, Group, ScrollArea, Skeleton, Table, Text, Tooltip } from "@mantine/core";
import { IconChartBarPopular, IconTable } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Execution, hasEnded } from "../api/types";
import { ProblemView } from "../ui/ProblemView";
import { inFull, spell, useNow } from "../ui/time";
import classes from "./Execution.module.css";
import { Panel } from "./Panel";
import { attemptsQuery, eventsQuery } from "./queries";
import {
  KINDS,
  type Kind,
  type Lane,
  type Mark,
  type Span,
  type Timeline,
  tickLabel,
  ticks,
  timelineOf,
} from "./timeline";

const KIND: Record<Kind, string> = {
  queued: "Queued",
  preparing: "Preparing",
  running: "Running",
  paused: "Paused",
  stopping: "Stopping",
  collecting: "Collecting",
};
const MARK: Record<Mark["kind"], string> = {
  told: "Asked to stop",
  signaled: "Got its stop signal",
  killed: "Killed",
};

/** When it waited, ran, stood still and stopped, by attempts: as bars, or as a table. */
export function TimelinePanel({ record }: { record: Execution }) {
  const [asTable, setAsTable] = useState(false);
  const events = useQuery(eventsQuery(record.id));
  const attempts = useQuery(attemptsQuery(record.id));
  const now = useNow(!hasEnded(record.status));
  const timeline = events.data && attempts.data && timelineOf(events.data, attempts.data, now);
  return (
    <Panel
      title="Timeline"
      aside={
        <Button
          variant="subtle"
          color="gray"
          size="compact-xs"
          leftSection={asTable ? <IconChartBarPopular size={14} /> : <IconTable size={14} />}
          onClick={() => setAsTable(!asTable)}
        >
          {asTable ? "As bars" : "As a table"}
        </Button>
      }
    >
      <ProblemView error={events.error ?? attempts.error} />
      {timeline ? (
        asTable ? (
          <SpanTable timeline={timeline} />
        ) : (
          <Bars timeline={timeline} />
        )
      ) : (
        !events.error && !attempts.error && <Skeleton h={90} />
      )}
    </Panel>
  );
}

function nameOf({ attempt }: Lane): string {
  return attempt === null ? "Waiting" : `Attempt ${attempt}`;
}

function Bars({ timeline }: { timeline: Timeline }) {
  const length = Math.max(1, timeline.to - timeline.from);
  const at = (moment: number) => `${(100 * Math.min(length, Math.max(0, moment - timeline.from))) / length}%`;
  return (
    <>
      <ScrollArea.Autosize mah="14rem" viewportProps={{ tabIndex: 0, "aria-label": "Timeline" }}>
        <div role="img" aria-label={summaryOf(timeline)} className={classes.bars}>
          {timeline.lanes.map((lane) => (
            <div key={nameOf(lane)} className={classes.lane}>
              <span className={classes.laneName}>{nameOf(lane)}</span>
              <div className={classes.track}>
                {lane.spans.map((span) => (
                  <Tooltip key={`${span.kind} ${span.from}`} label={spanSentence(span)}>
                    <div
                      className={classes.span}
                      data-kind={span.kind}
                      data-open={span.open || undefined}
                      style={{ left: at(span.from), width: `${(100 * (span.to - span.from)) / length}%` }}
                    />
                  </Tooltip>
                ))}
                {lane.marks.map(({ kind, at: moment }) => (
                  <Tooltip key={kind} label={`${MARK[kind]} · ${inFull(new Date(moment).toISOString())}`}>
                    <div className={classes.mark} data-kind={kind} style={{ left: at(moment) }} />
                  </Tooltip>
                ))}
              </div>
            </div>
          ))}
          <div className={classes.lane}>
            <span className={classes.laneName} />
            <div className={classes.axis}>
              {labelled(length / 1000).map((seconds) => (
                <span key={seconds} style={{ left: at(timeline.from + seconds * 1000) }}>
                  {tickLabel(seconds)}
                </span>
              ))}
            </div>
          </div>
        </div>
      </ScrollArea.Autosize>
      <Group gap="xs" mt={6}>
        {KINDS.map((kind) => {
          const total = timeline.totals[kind];
          if (total === undefined) return null;
          return (
            <Text key={kind} component="span" fz="xs" c="dimmed" className={classes.key} data-kind={kind}>
              {KIND[kind]} <span className="tabular">{spell(total / 1000)}</span>
            </Text>
          );
        })}
      </Group>
    </>
  );
}

/** Ticks whose label has room before the end. */
function labelled(seconds: number): number[] {
  return ticks(seconds, 5).filter((each) => each <= seconds * 0.87);
}

function SpanTable({ timeline }: { timeline: Timeline }) {
  return (
    <ScrollArea.Autosize mah="16rem" viewportProps={{ tabIndex: 0, "aria-label": "Timeline" }}>
      <Table verticalSpacing={4} fz="xs" className="tabular">
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">Where</Table.Th>
            <Table.Th scope="col">What</Table.Th>
            <Table.Th scope="col">From</Table.Th>
            <Table.Th scope="col">How long</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {timeline.lanes.flatMap((lane) =>
            entriesOf(lane).map(({ what, from, seconds }) => (
              <Table.Tr key={`${nameOf(lane)} ${what} ${from}`}>
                <Table.Td>{nameOf(lane)}</Table.Td>
                <Table.Td>{what}</Table.Td>
                <Table.Td>{inFull(new Date(from).toISOString())}</Table.Td>
                <Table.Td>{seconds === null ? "–" : spell(seconds)}</Table.Td>
              </Table.Tr>
            )),
          )}
        </Table.Tbody>
      </Table>
    </ScrollArea.Autosize>
  );
}

function entriesOf({ spans, marks }: Lane) {
  const entries = [
    ...spans.map(({ kind, from, to }) => ({ what: KIND[kind], from, seconds: (to - from) / 1000 })),
    ...marks.map(({ kind, at }) => ({ what: MARK[kind], from: at, seconds: null })),
  ];
  return entries.sort((one, other) => one.from - other.from);
}

function spanSentence({ kind, from, to, open }: Span): string {
  const since = inFull(new Date(from).toISOString());
  return `${KIND[kind]} ${open ? "for" : "·"} ${spell((to - from) / 1000)} · from ${since}`;
}

function summaryOf({ totals }: Timeline): string {
  const said = KINDS.flatMap((kind) => {
    const total = totals[kind];
    return total === undefined ? [] : [`${KIND[kind].toLowerCase()} ${spell(total / 1000)}`];
  });
  return `Timeline: ${said.join(", ")}. The table has each stretch.`;
}
