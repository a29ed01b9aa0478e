import { api, ask, withDefaults } from "../api/client";
import { asProblem, type ProblemError } from "../api/problem";
import type { Schemas } from "../api/types";

/** What can be done to many at once. */
export type Act = "cancel" | "rerun" | "archive" | "restore" | "delete";

/** What came of it: whom it was done to, what was made by it, and what was refused. */
export interface Outcome {
  done: string[];
  made: string[];
  refused: Refusal[];
}

/** Whom it was not done to, and why. */
export interface Refusal {
  id: string;
  why: ProblemError;
}

const AT_ONCE = 6;

/** Do it to each of these, several at a time. Never throws: what is refused is in the outcome. */
export async function doToEach(act: Act, ids: readonly string[]): Promise<Outcome> {
  const outcome: Outcome = { done: [], made: [], refused: [] };
  const waiting = [...ids];
  async function work(): Promise<void> {
    for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
      try {
        const made = await doToOne(act, id);
        outcome.done.push(id);
        if (made) outcome.made.push(made);
      } catch (error) {
        outcome.refused.push({ id, why: asProblem(error) });
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return outcome;
}

/** Do it to all that a filter takes, as many requests as that needs. Throws `ProblemError` if one is refused as a whole. */
export async function doToAll(act: Act, filter: Partial<Schemas["CancelMany"]>): Promise<Outcome> {
  const outcome: Outcome = { done: [], made: [], refused: [] };
  let after: string | null = null;
  do {
    const answer: Schemas["BulkAnswer"] = await ask(
      api.POST(`/v1/executions:${act}`, { body: withDefaults({ ...filter, ...(after && { after }) }) }),
    );
    for (const { id, result, rerun, error } of answer.items) {
      if (error) outcome.refused.push({ id, why: asProblem(new Error(error.detail)) });
      else if (result !== "unchanged") outcome.done.push(id);
      if (rerun) outcome.made.push(rerun);
    }
    after = answer.more ? answer.next : null;
  } while (after);
  return outcome;
}

/** The id of what was made by it, if anything was. */
async function doToOne(act: Act, id: string): Promise<string | null> {
  const one = { params: { path: { id } } };
  switch (act) {
    case "cancel":
      await ask(api.POST("/v1/executions/{id}/cancel", one));
      return null;
    case "rerun": {
      const made = await ask(api.POST("/v1/executions/{id}/rerun", { ...one, body: {} }));
      return "id" in made ? String(made.id) : null;
    }
    case "archive":
      await ask(api.POST("/v1/executions/{id}/archive", one));
      return null;
    case "restore":
      await ask(api.POST("/v1/executions/{id}/restore", one));
      return null;
    case "delete":
      await ask(api.DELETE("/v1/executions/{id}", one));
      return null;
  }
}
