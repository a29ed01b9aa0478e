import type { Pool, Worker } from "../api/types";

type State = Worker["state"];
export type Verb = "pause" | "drain" | "resume";
export type Tone = "good" | "bad" | "idle";

/** What a state is called, and how it is to be taken. */
export const STATES: Record<State, { word: string; tone: Tone }> = {
  active: { word: "Takes work", tone: "good" },
  paused: { word: "Paused", tone: "idle" },
  draining: { word: "Draining", tone: "idle" },
  lost: { word: "Silent", tone: "bad" },
  gone: { word: "Gone", tone: "idle" },
};

type Told = Pick<Worker, "host" | "busy">;

/** What is said of a worker after it was told something. */
export const TOLD: Record<State, (worker: Told) => string> = {
  active: ({ host }) => `${host} takes work again.`,
  paused: ({ host, busy }) => `${host} takes nothing new${busy ? ` and goes on with ${counted(busy)}` : ""}.`,
  draining: ({ host, busy }) =>
    busy ? `${host} finishes ${counted(busy)}, and then ends.` : `${host} has nothing to finish, and ends.`,
  lost: ({ host }) => `${host} is silent: it is told when it comes back.`,
  gone: ({ host }) => `${host} has gone.`,
};

/** What can be told to a worker as it stands. */
export function verbsFor(state: State): Verb[] {
  if (state === "active") return ["pause", "drain"];
  if (state === "paused") return ["resume", "drain"];
  if (state === "draining") return ["resume", "pause"];
  return [];
}

/** What is wrong with a worker, each in one sentence. */
export function troublesOf({
  state,
  message,
  engine,
}: Pick<Worker, "state" | "message" | "engine">): string[] {
  const troubles: string[] = [];
  if (state === "gone") return troubles;
  if (state === "lost") troubles.push("It was silent for more than 30 seconds.");
  if (message) troubles.push(message);
  if (!engine.ok)
    troubles.push(`Its container engine does not answer${engine.message ? `: ${engine.message}` : "."}`);
  return troubles;
}

/** A pool with the workers of it; also pools of workers that are there although their pool is not shown. */
export interface Staffed {
  name: string;
  pool: Pool | null;
  workers: Worker[];
}

/** Workers by pool, pools by name; those that take work come first. */
export function byPool(pools: readonly Pool[], workers: readonly Worker[]): Staffed[] {
  const staffed = new Map<string, Staffed>(
    pools.map((pool) => [pool.name, { name: pool.name, pool, workers: [] }]),
  );
  for (const worker of workers) {
    const place = staffed.get(worker.pool) ?? { name: worker.pool, pool: null, workers: [] };
    place.workers.push(worker);
    staffed.set(worker.pool, place);
  }
  const rank = Object.keys(STATES);
  for (const { workers: each } of staffed.values())
    each.sort((a, b) => rank.indexOf(a.state) - rank.indexOf(b.state) || a.host.localeCompare(b.host));
  return [...staffed.values()].sort((a, b) => a.name.localeCompare(b.name));
}

/** Why nothing of a pool is started, in one sentence; null while it is. */
export function whyStill({ max_running, slots, workers }: Pool): string | null {
  if (max_running === 0) return "It is paused: what is submitted to it waits.";
  if (workers === 0) return "No worker is present: what is submitted to it waits.";
  if (slots === 0) return "None of its workers takes work: what is submitted to it waits.";
  return null;
}

/** The limits of a pool as one sentence. */
export function limitsOf({ max_running, max_running_per_owner }: Pool): string {
  const parts: string[] = [];
  if (max_running === 0) return "Nothing of it is started";
  if (max_running !== null) parts.push(`at most ${max_running} at once`);
  if (max_running_per_owner !== null) parts.push(`at most ${max_running_per_owner} of each owner`);
  return parts.length > 0 ? capitalized(parts.join(", ")) : "No limit but the slots of its workers";
}

/** What a field of a limit means: a number, or none when it is left empty. */
export function limitOf(value: number | string): number | null {
  return typeof value === "number" ? value : null;
}

function counted(executions: number): string {
  return executions === 1 ? "1 execution" : `${executions} executions`;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
