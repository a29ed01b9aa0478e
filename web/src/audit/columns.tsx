import { Anchor } from "@mantine/core";
import type { Column } from "../ui/DataTable";
import { RelativeTime } from "../ui/RelativeTime";
import { StateMark } from "../ui/StateMark";
import { ObjectLink } from "./ObjectLink";
import type { Entry } from "./queries";
import { outcomeOf, spellAction } from "./spelling";

/** The columns of the log; `onOpen` shows all of an entry. */
export function columnsOf(onOpen: (entry: Entry) => void): Column<Entry>[] {
  return [
    { id: "at", title: "When", width: 110, cell: ({ at }) => <RelativeTime at={at} /> },
    { id: "actor", title: "Who", width: 120, cell: ({ actor }) => <span title={actor}>{actor}</span> },
    {
      id: "action",
      title: "What",
      width: 190,
      cell: (entry) => <ActionButton entry={entry} onOpen={() => onOpen(entry)} />,
    },
    { id: "object", title: "Of what", width: 230, cell: ({ object }) => <ObjectLink object={object} /> },
    { id: "owner", title: "Whose", width: 120, cell: ({ owner }) => owner ?? "–" },
    { id: "outcome", title: "Outcome", width: 110, cell: (entry) => <Outcome entry={entry} /> },
    { id: "token", title: "By token", width: 120, cell: ({ token_name }) => token_name ?? "–" },
  ];
}

/** What was done; it opens all that is known of it. */
export function ActionButton({ entry, onOpen }: { entry: Entry; onOpen: () => void }) {
  return (
    <Anchor component="button" type="button" fz="sm" fw={550} title={entry.action} onClick={onOpen}>
      {spellAction(entry.action)}
    </Anchor>
  );
}

/** Whether it was done. */
export function Outcome({ entry }: { entry: Entry }) {
  const { word, tone } = outcomeOf(entry);
  return (
    <span title={`The answer was ${entry.status}`}>
      <StateMark tone={tone}>{word}</StateMark>
    </span>
  );
}
