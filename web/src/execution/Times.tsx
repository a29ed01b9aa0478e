import type { Execution } from "../api/types";
import { Duration } from "../ui/Duration";
import ui from "../ui/ui.module.css";
import classes from "./Execution.module.css";
import { type Fact, Facts } from "./Facts";
import { Moment } from "./Moment";

/** When it was what, how long that took, and where. */
export function Times({ record }: { record: Execution }) {
  return (
    <section className={`${ui.panel} ${classes.box} ${classes.times}`} aria-label="Times and place">
      <Facts facts={factsOf(record)} />
    </section>
  );
}

/** Whether it has waited, or been paused, since it was started first: that is no time of running. */
function hasStoodStill({ attempt, status }: Execution): boolean {
  return attempt > 1 || status === "paused";
}

function factsOf(record: Execution): Fact[] {
  const waits = record.status === "queued";
  const runs = record.started_at !== null && record.finished_at === null;
  const facts: (Fact | null)[] = [
    ["Accepted", <Moment key="accepted" at={record.created_at} />],
    [
      "Waited",
      <Duration key="waited" seconds={record.queue_seconds} since={waits ? record.queued_at : null} />,
    ],
    waits && record.not_before ? ["Not before", <Moment key="not-before" at={record.not_before} />] : null,
    ["Started", <Moment key="started" at={record.started_at} />],
    [
      hasStoodStill(record) ? "Since its start" : "Ran",
      <Duration key="ran" seconds={record.run_seconds} since={runs ? record.started_at : null} />,
    ],
    record.finished_at === null
      ? ["Updated", <Moment key="updated" at={record.updated_at} />]
      : ["Finished", <Moment key="finished" at={record.finished_at} />],
    record.max_attempts > 1 || record.attempt > 1
      ? ["Attempt", `${record.attempt} of at most ${Math.max(record.attempt, record.max_attempts)}`]
      : null,
    record.exit_code === null ? null : ["Exit code", <code key="exit">{record.exit_code}</code>],
    ["Pool", record.pool],
    ["Image", <code key="image">{record.image}</code>],
  ];
  return facts.filter((fact) => fact !== null);
}
