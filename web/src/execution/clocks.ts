/** The clocks that run for an execution now: what each began with, and what is left. Pure. */
import type { Execution } from "../api/types";

export interface Clock {
  limit: "queue_timeout" | "timeout" | "grace";
  word: string;
  /** All of it, in seconds. */
  of: number;
  /** What is left of it, in seconds; not below 0. */
  left: number;
}

/** Clocks whose end is known; that of silence only its worker knows. */
export function clocksOf(record: Execution, now: number): Clock[] {
  return [waiting(record, now), running(record, now), stopping(record, now)].filter((each) => each !== null);
}

function waiting({ status, waiting_on, queued_at, limits }: Execution, now: number): Clock | null {
  if (status !== "queued" || limits.queue_timeout == null) return null;
  // Its clock stands still for these.
  if (waiting_on === "hold" || waiting_on === "not_before" || waiting_on === "needs") return null;
  const end = Date.parse(queued_at) + limits.queue_timeout * 1000;
  return clock("queue_timeout", "It may wait for another", limits.queue_timeout, end, now);
}

function running({ status, deadline, limits }: Execution, now: number): Clock | null {
  if (status !== "running" || deadline === null || limits.timeout == null) return null;
  return clock("timeout", "It may run for another", limits.timeout, Date.parse(deadline), now);
}

function stopping({ status, stop, limits }: Execution, now: number): Clock | null {
  if (status !== "stopping" || !stop || limits.grace == null) return null;
  return clock("grace", "It is killed in", limits.grace, Date.parse(stop.deadline), now);
}

function clock(limit: Clock["limit"], word: string, of: number, end: number, now: number): Clock {
  return { limit, word, of, left: Math.min(of, Math.max(0, (end - now) / 1000)) };
}
