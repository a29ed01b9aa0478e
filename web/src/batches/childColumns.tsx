import type { Execution } from "../api/types";
import type { Column } from "../ui/DataTable";
import { Duration } from "../ui/Duration";
import { ProgressBar } from "../ui/ProgressBar";
import { RelativeTime } from "../ui/RelativeTime";
import { StatusBadge } from "../ui/StatusBadge";
import { ChildLink } from "./ChildLink";

const PROGRESS: Column<Execution> = {
  id: "progress",
  title: "Progress",
  width: 140,
  cell: (child) => <ProgressBar progress={child.progress} />,
};

/** Columns of the children of a batch: their place, and of their inputs those in which they differ. */
export function childColumns(children: readonly Execution[], names: readonly string[]): Column<Execution>[] {
  return [
    {
      id: "index",
      title: "#",
      width: 64,
      align: "right",
      cell: (child) => child.lineage.batch?.index ?? "–",
    },
    {
      id: "status",
      title: "Status",
      width: 128,
      cell: (child) => <StatusBadge status={child.status} execution={child} />,
    },
    { id: "name", title: "Child", width: 180, cell: (child) => <ChildLink child={child} /> },
    ...names.map((name) => ({
      id: `input-${name}`,
      title: name,
      width: 130,
      cell: (child: Execution) => <Value value={child.inputs[name]} />,
    })),
    ...(children.some(({ progress }) => progress) ? [PROGRESS] : []),
    { id: "started", title: "Started", width: 110, cell: (child) => <RelativeTime at={child.started_at} /> },
    {
      id: "run",
      title: "Run time",
      width: 110,
      align: "right",
      cell: (child) => (
        <Duration seconds={child.run_seconds} since={child.finished_at ? null : child.started_at} />
      ),
    },
    { id: "exit", title: "Exit code", width: 90, align: "right", cell: (child) => child.exit_code ?? "–" },
    {
      id: "image",
      title: "Image",
      width: 170,
      cell: (child) => <span title={child.image}>{child.image}</span>,
    },
  ];
}

function Value({ value }: { value: unknown }) {
  if (value === undefined) return <span>–</span>;
  const said = typeof value === "string" ? value : JSON.stringify(value);
  return <code title={said}>{said}</code>;
}
