/** The names by which pages speak of what the API answers with; all of them are generated from its document. */
import type { components } from "./schema";

export type Schemas = components["schemas"];

export type Execution = Schemas["Execution"];
export type Status = Schemas["Status"];
export type Cause = Schemas["Cause"];
export type Me = Schemas["Me"];
export type Scope = Schemas["Scope"];
export type Stats = Schemas["Stats"];
export type Worker = Schemas["WorkerView"];
export type Pool = Schemas["PoolView"];

export const ACTIVE = ["queued", "preparing", "running", "paused", "stopping"] as const satisfies Status[];
export const TERMINAL = [
  "succeeded",
  "failed",
  "timed_out",
  "canceled",
  "crashed",
] as const satisfies Status[];
export const STATUSES: readonly Status[] = [...ACTIVE, ...TERMINAL];

export function hasEnded(status: Status): boolean {
  return (TERMINAL as readonly Status[]).includes(status);
}
