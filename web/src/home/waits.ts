import type { Execution } from "../api/types";

/** How long executions of about the same time waited, in seconds. */
export interface Waited {
  at: string;
  longest: number;
  median: number;
}

const GROUPS = 24;

/** The executions that have started, oldest first, in groups of as many. */
export function waits(executions: readonly Execution[]): Waited[] {
  const started = executions
    .filter((each) => each.queue_seconds !== null)
    .slice(0, 200)
    .reverse();
  const size = Math.max(1, Math.ceil(started.length / GROUPS));
  const groups: Waited[] = [];
  for (let first = 0; first < started.length; first += size) {
    const group = started.slice(first, first + size);
    const seconds = group.map((each) => each.queue_seconds ?? 0).sort((a, b) => a - b);
    groups.push({
      at: new Date(group[0]?.created_at ?? 0).toLocaleTimeString(undefined, {
        hour: "2-digit",
        minute: "2-digit",
      }),
      longest: seconds.at(-1) ?? 0,
      median: seconds[Math.floor(seconds.length / 2)] ?? 0,
    });
  }
  return groups;
}
