import type { Schemas, TERMINAL } from "../api/types";
import { spellLabels } from "../ui/labelText";
import { STATUS } from "../ui/statuses";

export type Rule = Schemas["RuleView"];
export type Notification = Schemas["NotificationView"];
export type End = (typeof TERMINAL)[number];
type Tone = "good" | "bad" | "idle";

/** Ends that mostly somebody has to look at. */
export const FAILURES = ["failed", "timed_out", "crashed"] as const satisfies End[];

/** What a rule tells of. */
export type What = "ends" | "streaks" | "batches";

/** Which of these a rule tells. */
export function whatOf({ batches, alert_after }: Pick<Rule, "batches" | "alert_after">): What {
  if (batches) return "batches";
  return alert_after == null ? "ends" : "streaks";
}

/** When something is said, in one sentence. */
export function spellWhen(rule: Rule): string {
  const what = whatOf(rule);
  if (what === "streaks")
    return `${rule.alert_after} failures in a row of the same ${spellPer(rule.per)}, and the recovery`;
  const ends = rule.statuses.map((status) => STATUS[status].word.toLowerCase()).join(", ");
  return what === "batches" ? `End of a batch: ${ends}` : `Every end: ${ends}`;
}

/** `name`, `method`, or `label:team` as words. */
export function spellPer(per: string): string {
  return per.startsWith("label:") ? `label ${per.slice("label:".length)}` : per;
}

/** Of what it is said, in one sentence. */
export function spellOfWhat({ owner, pools, methods, labels, causes }: Rule): string {
  const parts = [owner === "*" ? "Of all owners" : "Of what is theirs"];
  if (pools.length > 0) parts.push(`in ${pools.join(" or ")}`);
  if (methods.length > 0) parts.push(`of ${methods.join(" or ")}`);
  if (causes.length > 0) parts.push(`by ${causes.join(" or ")}`);
  const pairs = spellLabels(labels);
  if (pairs) parts.push(`with ${pairs.split("\n").join(" and ")}`);
  return parts.join(", ");
}

/** Why something was said. */
export const KINDS: Record<Notification["kind"], string> = {
  ended: "An end",
  failing: "Failures in a row",
  recovered: "A recovery",
  test: "A test",
};

/** How a message stands. */
export const STATES: Record<Notification["state"], { word: string; tone: Tone }> = {
  waiting: { word: "Waiting", tone: "idle" },
  sending: { word: "Being sent", tone: "idle" },
  sent: { word: "Sent", tone: "good" },
  failed: { word: "Given up", tone: "bad" },
  unsure: { word: "Unsure", tone: "bad" },
};
