import { Stack, Text } from "@mantine/core";
import type { Schemas } from "../api/types";
import { Bytes } from "../ui/Bytes";
import { type Column, DataTable } from "../ui/DataTable";
import { IdLink } from "../ui/IdLink";

type Retention = Schemas["RetentionView"];

interface Row {
  part: string;
  due: Schemas["Due"];
}

const COLUMNS: Column<Row>[] = [
  { id: "part", title: "", width: 130, cell: ({ part }) => part },
  { id: "now", title: "Now: executions", width: 160, cell: ({ due }) => count(due.now.count) },
  { id: "nowBytes", title: "That is", width: 110, cell: ({ due }) => <Bytes value={due.now.bytes} /> },
  { id: "soon", title: "By then: executions", width: 160, cell: ({ due }) => count(due.within_days.count) },
  {
    id: "soonBytes",
    title: "That is",
    width: 110,
    cell: ({ due }) => <Bytes value={due.within_days.bytes} />,
  },
  {
    id: "which",
    title: "The first of them",
    width: 320,
    cell: ({ due }) => <First ids={due.within_days.ids} />,
  },
];

/** How much goes now, and within some days. */
export function DueTable({ retention }: { retention: Retention }) {
  const rows: Row[] = [
    { part: "Records", due: retention.records },
    { part: "Outputs", due: retention.outputs },
    { part: "Checkpoints", due: retention.checkpoints },
    { part: "Logs", due: retention.logs },
  ];
  return (
    <DataTable
      label="What goes"
      rows={rows}
      columns={COLUMNS}
      rowKey={({ part }) => part}
      card={(row) => <DueCard row={row} />}
      cardHeight={84}
      height="none"
    />
  );
}

function count(executions: number) {
  return <span className="tabular">{executions.toLocaleString()}</span>;
}

const SHOWN = 3;

function First({ ids }: { ids: readonly string[] }) {
  if (ids.length === 0) return <span>–</span>;
  return (
    <span style={{ display: "inline-flex", gap: "0.75rem" }}>
      {ids.slice(0, SHOWN).map((id) => (
        <IdLink key={id} id={id} />
      ))}
    </span>
  );
}

function DueCard({ row: { part, due } }: { row: Row }) {
  return (
    <Stack gap={4}>
      <Text fw={550}>{part}</Text>
      <Text component="div" fz="sm">
        Now {count(due.now.count)} (<Bytes value={due.now.bytes} />
        ), by then {count(due.within_days.count)} (<Bytes value={due.within_days.bytes} />)
      </Text>
    </Stack>
  );
}
