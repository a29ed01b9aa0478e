import { Skeleton, Stack } from "@mantine/core";
import { IconBox } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { Schemas } from "../api/types";
import { spellBytes } from "../ui/Bytes";
import { CopyButton } from "../ui/CopyButton";
import { Duration } from "../ui/Duration";
import { EmptyState } from "../ui/EmptyState";
import { ProblemView } from "../ui/ProblemView";
import { CAUSE } from "../ui/statuses";
import { type Fact, Facts } from "./Facts";
import { Moment } from "./Moment";
import { Panel } from "./Panel";
import { attemptsQuery } from "./queries";
import { counted } from "./spelling";

type Attempt = Schemas["AttemptView"];

/** Its containers, one by one; the last first. */
export function AttemptsPanel({ id }: { id: string }) {
  const { data: attempts, error } = useQuery(attemptsQuery(id));
  if (error) return <ProblemView error={error} />;
  if (!attempts) return <Skeleton h={160} />;
  if (attempts.length === 0)
    return (
      <EmptyState
        icon={IconBox}
        title="No attempt yet"
        text="There is one as soon as a worker prepares it."
      />
    );
  return (
    <Stack>
      {attempts.toReversed().map((attempt) => (
        <Panel key={attempt.number} title={`Attempt ${attempt.number}`}>
          <Facts facts={factsOf(attempt)} />
        </Panel>
      ))}
    </Stack>
  );
}

function secondsBetween(from: string | null, to: string | null): number | null {
  return from && to ? Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000) : null;
}

function factsOf(attempt: Attempt): Fact[] {
  const { started_at, exited_at, finished_at, cause, message } = attempt;
  const end = exited_at ?? finished_at;
  const ran = <Duration seconds={secondsBetween(started_at, end)} since={end ? null : started_at} />;
  const told: Fact[] = [
    ["Claimed", <Moment key="claimed" at={attempt.claimed_at} />],
    ["Started", <Moment key="started" at={started_at} />],
    ["Ran", ran],
    ...moment("Asked to stop", attempt.stop_written_at),
    ...moment("Got its signal", attempt.signaled_at),
    ...moment("Killed", attempt.killed_at),
    ["Ended", <Moment key="ended" at={finished_at} />],
  ];
  return [
    ...told,
    ["Exit code", attempt.exit_code === null ? "–" : <code key="exit">{attempt.exit_code}</code>],
    ["Why", cause ? (message ?? CAUSE[cause]) : "–"],
    ...(attempt.oom_killed ? ([["Memory", "something in it was killed for it"]] satisfies Fact[]) : []),
    ["Checkpoint", checkpointOf(attempt)],
    ["Log", linesOf(attempt)],
    ["Container", attempt.container_name ? <Named key="container" name={attempt.container_name} /> : "–"],
    ["Worker", <Named key="worker" name={attempt.worker_id} />],
  ];
}

function moment(name: string, at: string | null): Fact[] {
  return at ? [[name, <Moment key={name} at={at} />]] : [];
}

function checkpointOf({ checkpoint_files, checkpoint_bytes }: Attempt): string {
  if (checkpoint_files === 0) return "none";
  return `${counted(checkpoint_files, "file")}, ${spellBytes(checkpoint_bytes)}`;
}

function linesOf({ log: { after, last } }: Attempt): string {
  return last === null ? `from line ${after + 1}` : `lines ${after + 1} to ${last}`;
}

function Named({ name }: { name: string }) {
  return (
    <span style={{ display: "inline-flex", alignItems: "center", maxWidth: "100%" }}>
      <code title={name}>…{name.slice(-8)}</code>
      <CopyButton value={name} />
    </span>
  );
}
