import type { JsonObject } from "../submit/json";

const MOST_CHARS = 100;

/** One thing that a firing or a post submits: an execution or a batch, as it would be submitted. */
export interface Target {
  execution?: JsonObject;
  batch?: JsonObject;
}

/** What is submitted, in a few words: the method or the image, and of a batch how its children come. */
export function targetOf(target: Readonly<{ execution?: unknown; batch?: unknown }>): string {
  const execution = asObject(target.execution);
  if (execution) return whatOf(execution);
  const batch = asObject(target.batch);
  if (!batch) return "–";
  const defaults = asObject(batch["defaults"]) ?? {};
  const how = ["matrix", "items", "count", "query"].find((name) => batch[name] != null);
  return `Batch of ${whatOf({ ...defaults, ...(batch["method"] ? { method: batch["method"] } : {}) })}${how ? ` (${how})` : ""}`;
}

function whatOf({ method, image, command }: { readonly [field: string]: unknown }): string {
  if (typeof method === "string") return method;
  const words = Array.isArray(command) ? ` ${command.join(" ")}` : "";
  return `${typeof image === "string" ? image : "its own images"}${words}`;
}

function asObject(value: unknown): { [field: string]: unknown } | null {
  return typeof value === "object" && value !== null ? (value as { [field: string]: unknown }) : null;
}

/** How something that submits it may be called: as that is, else after what it runs. */
export function nameFor(target: Target): string {
  const { name } = target.execution ?? target.batch ?? {};
  return typeof name === "string" ? name : targetOf(target).slice(0, MOST_CHARS);
}

/** What is submitted, as somebody edits it. */
export function written(targets: unknown): string {
  return JSON.stringify(targets, null, 2);
}

/** What somebody has written; undefined while that is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
