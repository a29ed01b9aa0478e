import type { Execution } from "../api/types";
import type { Column } from "../ui/DataTable";
import { Duration } from "../ui/Duration";
import { Labels } from "../ui/Labels";
import { PageLink } from "../ui/PageLink";
import { ProgressBar } from "../ui/ProgressBar";
import { RelativeTime } from "../ui/RelativeTime";
import { reasonOf, StatusBadge } from "../ui/StatusBadge";
import classes from "./List.module.css";

/** All columns that a list of executions can have, in their order. */
export const COLUMNS: readonly Column<Execution>[] = [
  {
    id: "status",
    title: "Status",
    width: 134,
    cell: (each) => <StatusBadge status={each.status} />,
  },
  { id: "name", title: "Name", width: 190, cell: (each) => <NameLink execution={each} /> },
  { id: "id", title: "Id", width: 100, cell: (each) => <ShortId id={each.id} /> },
  { id: "standing", title: "How it stands", width: 230, cell: (each) => <Standing execution={each} /> },
  { id: "method", title: "Method", width: 150, cell: (each) => <MethodLink execution={each} /> },
  {
    id: "progress",
    title: "Progress",
    width: 120,
    cell: (each) => <ProgressBar progress={each.progress} />,
  },
  {
    id: "accepted",
    title: "Accepted",
    width: 108,
    sort: "created",
    cell: (each) => <RelativeTime at={each.created_at} />,
  },
  { id: "updated", title: "Updated", width: 108, cell: (each) => <RelativeTime at={each.updated_at} /> },
  { id: "started", title: "Started", width: 108, cell: (each) => <RelativeTime at={each.started_at} /> },
  {
    id: "finished",
    title: "Finished",
    width: 108,
    sort: "finished",
    cell: (each) => <RelativeTime at={each.finished_at} />,
  },
  {
    id: "queue",
    title: "In queue",
    width: 116,
    align: "right",
    cell: (each) => <QueueTime execution={each} />,
  },
  {
    id: "run",
    title: "Run time",
    width: 116,
    align: "right",
    sort: "duration",
    cell: (each) => <RunTime execution={each} />,
  },
  { id: "pool", title: "Pool", width: 90, cell: (each) => each.pool },
  { id: "image", title: "Image", width: 150, cell: (each) => <span title={each.image}>{each.image}</span> },
  { id: "owner", title: "Owner", width: 90, cell: (each) => each.owner },
  { id: "labels", title: "Labels", width: 220, cell: (each) => <Labels labels={each.labels} /> },
];

/** Those that are shown until somebody chooses others. */
export const USUAL = [
  "status",
  "name",
  "standing",
  "method",
  "accepted",
  "finished",
  "queue",
  "run",
  "pool",
  "image",
  "owner",
  "labels",
];

/** What people call it, as a link to its page. */
export function NameLink({ execution: { id, name } }: { execution: Execution }) {
  if (!name) return <ShortId id={id} />;
  return (
    <PageLink to={`/executions/${id}`} title={name} className={classes.name}>
      {name}
    </PageLink>
  );
}

/** The end of an id, which differs most, as a link. */
function ShortId({ id }: { id: string }) {
  return (
    <PageLink to={`/executions/${id}`} title={id} className={classes.id}>
      …{id.slice(-8)}
    </PageLink>
  );
}

/** How far it is while it runs, else why it is as it is. */
export function Standing({ execution }: { execution: Execution }) {
  const runs = execution.status === "running" || execution.status === "stopping";
  return runs && execution.progress ? (
    <ProgressBar progress={execution.progress} withPhase />
  ) : (
    <Why execution={execution} />
  );
}

function Why({ execution }: { execution: Execution }) {
  const why = execution.cause === "ok" ? null : reasonOf(execution.status, execution);
  return (
    why && (
      <span className={classes.why} title={why}>
        {why}
      </span>
    )
  );
}

/** The method with its version, or a dash. */
function MethodLink({ execution: { method } }: { execution: Execution }) {
  if (!method) return "–";
  return (
    <PageLink to={`/methods/${encodeURIComponent(method.name)}`}>
      {method.name}@{method.version}
    </PageLink>
  );
}

export function QueueTime({ execution }: { execution: Execution }) {
  const waits = execution.status === "queued";
  return (
    <Duration seconds={waits ? null : execution.queue_seconds} since={waits ? execution.queued_at : null} />
  );
}

export function RunTime({ execution }: { execution: Execution }) {
  const runs = execution.status === "running" || execution.status === "stopping";
  return (
    <Duration seconds={runs ? null : execution.run_seconds} since={runs ? execution.started_at : null} />
  );
}
