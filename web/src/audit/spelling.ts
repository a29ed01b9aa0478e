import type { Entry } from "./queries";

const REFUSED = 400;

/** `cancel_execution` as `Cancel execution`. */
export function spellAction(action: string): string {
  const words = action.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Whether nothing was changed, and in a word what came of it. */
export function outcomeOf({ status }: Entry): { word: string; tone: "good" | "bad" } {
  return status < REFUSED ? { word: "Done", tone: "good" } : { word: "Refused", tone: "bad" };
}

/** Where a page is. */
export interface Place {
  to: string;
  search?: { owner: string };
}

/** The page of an object, by its path below `/v1/`; null where it has none. */
export function pageOf(object: string): Place | null {
  const [kind = "", id] = object.split("/");
  if (!id) return null;
  if (
    ["executions", "batches", "schedules", "triggers", "webhooks", "notifications", "methods"].includes(kind)
  )
    return { to: `/${kind}/${id}` };
  if (kind === "pools" || kind === "workers") return { to: "/workers" };
  if (kind === "tokens" || kind === "secrets" || kind === "files") return { to: `/${kind}` };
  return kind === "quotas" ? { to: "/usage", search: { owner: id } } : null;
}
