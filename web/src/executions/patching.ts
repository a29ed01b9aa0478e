import { type Execution, hasEnded } from "../api/types";
import type { ExecutionFrame, ProgressFrame } from "../live/frames";

/** A record as it stands after a frame, as far as that tells. What is older than the record changes nothing. */
export function patched(execution: Execution, frame: ExecutionFrame): Execution {
  // Both have microseconds, which a Date has not; as texts they are in order too.
  if (frame.at < execution.updated_at) return execution;
  const ended = hasEnded(frame.status);
  const begins = frame.status === "running" && frame.from === "preparing";
  const startedAt = execution.started_at ?? (begins ? frame.at : null);
  return {
    ...execution,
    name: frame.name,
    labels: frame.labels,
    status: frame.status,
    cause: ended ? frame.cause : execution.cause,
    message: ended ? frame.message : execution.message,
    attempt: frame.attempt,
    exit_code: frame.exit_code,
    updated_at: frame.at,
    started_at: startedAt,
    finished_at: ended ? frame.at : null,
    queue_seconds: execution.queue_seconds ?? (begins ? secondsBetween(execution.queued_at, frame.at) : null),
    run_seconds: ended && startedAt ? secondsBetween(startedAt, frame.at) : execution.run_seconds,
    waiting_on: frame.status === "queued" ? execution.waiting_on : null,
    phase: ended ? null : execution.phase,
  };
}

/** A record with newer progress. */
export function progressed(execution: Execution, { percent, phase, at }: ProgressFrame): Execution {
  if (execution.progress && execution.progress.at > at) return execution;
  return { ...execution, progress: { percent, phase, at } };
}

function secondsBetween(from: string, to: string): number {
  return Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);
}
