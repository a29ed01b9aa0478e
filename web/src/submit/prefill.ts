import type { Target } from "../schedules/targets";
import { isObject, isSame, type Json, type JsonObject } from "./json";
import type { Axis, Body, Draft, Many, Subject } from "./requests";

/** What a form begins with to edit what a schedule or a trigger submits. */
export interface Prefill {
  subject: Subject;
  draft: Draft;
}

/** What stands for a value that nobody gets to see. */
const HIDDEN = "***";
const OF_STEPS = ["inputs", "name", "note", "labels"] as const;
const OF_MANY = ["name", "note", "defaults", "count", "matrix", "items", "max_parallel", "fail_fast"];

/** The form that would submit this; null where it has what no form can say. */
export function prefillOf({ execution, batch }: Target): Prefill | null {
  if (execution)
    return { subject: subjectOf(execution), draft: { body: bodyOf(execution), many: { as: "one" } } };
  if (!batch) return null;
  return batch["method"] ? ofSteps(batch) : ofMany(batch);
}

/** What in it is only shown as hidden, by its name: that has to be said again. */
export function hiddenIn(value: Json | undefined, name = ""): string | null {
  if (value === HIDDEN) return name;
  if (Array.isArray(value)) return firstOf(value.map((each) => hiddenIn(each, name)));
  if (!isObject(value)) return null;
  return firstOf(Object.entries(value).map(([key, each]) => hiddenIn(each, key)));
}

function firstOf(names: readonly (string | null)[]): string | null {
  return names.find((name) => name !== null) ?? null;
}

function subjectOf({ method, profile }: JsonObject): Subject {
  if (typeof method !== "string") return { kind: "image" };
  return { kind: "method", method, ...(typeof profile === "string" ? { profile } : {}) };
}

function bodyOf({ method: _, profile: __, ...body }: JsonObject): Body {
  return body;
}

/** A method with steps: what the batch has of its own, and the rest in its defaults. */
function ofSteps({ method, profile, defaults, max_parallel, fail_fast, ...own }: JsonObject): Prefill | null {
  const rest = isObject(defaults) ? defaults : {};
  const isKnown = Object.keys(own).every((name) => (OF_STEPS as readonly string[]).includes(name));
  if (!isKnown || OF_STEPS.some((name) => name in rest) || typeof method !== "string") return null;
  const named = typeof profile === "string" ? { profile } : {};
  return {
    subject: { kind: "steps", method, ...named },
    draft: { body: { ...rest, ...own }, many: { as: "one" }, ...paceOf(max_parallel, fail_fast) },
  };
}

function ofMany(batch: JsonObject): Prefill | null {
  const { defaults, name, note, max_parallel, fail_fast } = batch;
  const body = isObject(defaults) ? defaults : {};
  // The form gives the batch and its children the same name and note.
  if (!isSame(name, body["name"]) || !isSame(note, body["note"])) return null;
  const many = manyOf(batch);
  if (!many || Object.keys(batch).some((key) => !OF_MANY.includes(key))) return null;
  return {
    subject: subjectOf(body),
    draft: { body: bodyOf(body), many, ...paceOf(max_parallel, fail_fast) },
  };
}

function manyOf({ count, items, matrix }: JsonObject): Many | null {
  if (typeof count === "number") return { as: "count", count };
  if (Array.isArray(items)) return { as: "items", items };
  if (!isObject(matrix)) return null;
  const axes = (["inputs", "env"] as const).flatMap((of): Axis[] => {
    const named = matrix[of];
    if (!isObject(named)) return [];
    return Object.entries(named).map(([name, values]) => ({
      of,
      name,
      values: Array.isArray(values) ? values : [],
    }));
  });
  return { as: "matrix", axes };
}

function paceOf(maxParallel: Json | undefined, failFast: Json | undefined): Partial<Draft> {
  return {
    ...(typeof maxParallel === "number" && { maxParallel }),
    ...(failFast === true && { failFast }),
  };
}
