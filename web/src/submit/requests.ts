import type { Target } from "../schedules/targets";
import { type Json, type JsonObject, patchOf, tidied } from "./json";

/** Fields of a submission, as a form holds them. */
export type Body = { [field: string]: Json | undefined };

/** One input or variable of a sweep, and its values. */
export interface Axis {
  of: "inputs" | "env";
  name: string;
  values: Json[];
}

/** How many executions become of a form. */
export type Many =
  | { as: "one" }
  | { as: "count"; count: number }
  | { as: "matrix"; axes: Axis[] }
  | { as: "items"; items: Json[] };

/** What a form is about. */
export type Subject =
  | { kind: "image" }
  | { kind: "method"; method: string; profile?: string }
  /** A method with steps: a batch of them. */
  | { kind: "steps"; method: string; profile?: string }
  /** Running again: `before` is what the form began with, `more` what is asked for beside its fields. */
  | { kind: "rerun"; of: string; before: Body; more: JsonObject };

export interface Draft {
  body: Body;
  many: Many;
  /** Of many: so many at once. */
  maxParallel?: number | undefined;
  failFast?: boolean | undefined;
}

/** What is sent. */
export interface SubmitRequest {
  to: "executions" | "batches" | "rerun";
  path: string;
  body: JsonObject;
  /** What stands before the names of a submission's fields in its problems. */
  prefix: string;
}

const OF_BATCH = ["name", "note", "labels"] as const;
const OF_STEPS = ["inputs", "profile", ...OF_BATCH] as const;

/** What a form would send. */
export function requestOf(subject: Subject, { body, many, maxParallel, failFast }: Draft): SubmitRequest {
  if (subject.kind === "rerun") return rerunOf(subject, body);
  const own = subject.kind === "image" ? {} : tidied({ method: subject.method, profile: subject.profile });
  const said: JsonObject = { ...own, ...tidied(body) };
  const pace = tidied({ max_parallel: maxParallel, fail_fast: failFast || undefined });
  if (subject.kind === "steps") {
    const [outer, rest] = parted(said, ["method", ...OF_STEPS]);
    return batch({ ...outer, ...(isEmpty(rest) ? {} : { defaults: rest }), ...pace }, "defaults.");
  }
  if (many.as === "one") return { to: "executions", path: "/v1/executions", body: said, prefix: "" };
  return batch(
    { ...parted(said, ["name", "note"])[0], defaults: said, ...childrenOf(many), ...pace },
    "defaults.",
  );
}

function batch(body: JsonObject, prefix: string): SubmitRequest {
  return { to: "batches", path: "/v1/batches", body, prefix };
}

function childrenOf(many: Exclude<Many, { as: "one" }>): JsonObject {
  if (many.as === "count") return { count: many.count };
  if (many.as === "items") return { items: many.items };
  const matrix: { [of: string]: JsonObject } = {};
  for (const { of, name, values } of many.axes) if (name) matrix[of] = { ...matrix[of], [name]: values };
  return { matrix };
}

/** Of how many executions a batch would be. */
export function sizeOf(many: Many): number {
  switch (many.as) {
    case "one":
      return 1;
    case "count":
      return many.count;
    case "items":
      return many.items.length;
    case "matrix":
      return many.axes.reduce((size, { values }) => size * values.length, many.axes.length > 0 ? 1 : 0);
  }
}

function rerunOf({ of, before, more }: Extract<Subject, { kind: "rerun" }>, body: Body): SubmitRequest {
  const patch = patchOf(tidied(before), tidied(body)) ?? {};
  return { to: "rerun", path: `/v1/executions/${of}/rerun`, body: { ...patch, ...more }, prefix: "" };
}

/** The same as what a schedule or a trigger submits; null of a rerun, which is of one that has ended. */
export function targetFor({ to, body }: SubmitRequest): Target | null {
  if (to === "rerun") return null;
  return to === "batches" ? { batch: body } : { execution: body };
}

function parted(body: JsonObject, names: readonly string[]): [JsonObject, JsonObject] {
  const entries = Object.entries(body);
  return [
    Object.fromEntries(entries.filter(([name]) => names.includes(name))),
    Object.fromEntries(entries.filter(([name]) => !names.includes(name))),
  ];
}

function isEmpty(value: JsonObject): boolean {
  return Object.keys(value).length === 0;
}
