import { Group, ScrollArea, Skeleton, Table, Text } from "@mantine/core";
import { IconArrowRight } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { Schemas } from "../api/types";
import { ProblemView } from "../ui/ProblemView";
import { StatusBadge } from "../ui/StatusBadge";
import { CAUSE } from "../ui/statuses";
import ui from "../ui/ui.module.css";
import { Moment } from "./Moment";
import { eventsQuery } from "./queries";

/** Everything that happened to it, with who did it and why; the newest first. */
export function HistoryPanel({ id }: { id: string }) {
  const { data: events, error } = useQuery(eventsQuery(id));
  if (error) return <ProblemView error={error} />;
  if (!events) return <Skeleton h={160} />;
  return (
    <ScrollArea className={ui.panel} viewportProps={{ tabIndex: 0, role: "region", "aria-label": "History" }}>
      <Table miw={640} fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th scope="col">When</Table.Th>
            <Table.Th scope="col">What</Table.Th>
            <Table.Th scope="col">Why</Table.Th>
            <Table.Th scope="col">Who</Table.Th>
            <Table.Th scope="col">Attempt</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {events.toReversed().map((event) => (
            <Table.Tr key={event.number}>
              <Table.Td>
                <Moment at={event.at} />
              </Table.Td>
              <Table.Td>
                <What event={event} />
              </Table.Td>
              <Table.Td maw={420}>{whyOf(event)}</Table.Td>
              <Table.Td>{event.actor}</Table.Td>
              <Table.Td>{event.attempt || "–"}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollArea>
  );
}

function What({ event: { from, to } }: { event: Schemas["EventView"] }) {
  if (from === to)
    return (
      <Text component="span" fz="sm" c="dimmed">
        still {to.replace("_", " ")}
      </Text>
    );
  return (
    <Group gap={4} wrap="nowrap">
      {from && (
        <>
          <Text component="span" fz="sm" c="dimmed">
            {from}
          </Text>
          <IconArrowRight size={14} aria-label="to" />
        </>
      )}
      <StatusBadge status={to} />
    </Group>
  );
}

function whyOf({ from, message, cause }: Schemas["EventView"]): string {
  return message ?? (cause ? CAUSE[cause] : from === null ? "It was submitted." : "–");
}
