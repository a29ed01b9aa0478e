import type { Schemas } from "../api/types";
import { spellLabels } from "../ui/labelText";

export type Webhook = Schemas["WebhookView"];
export type Delivery = Schemas["DeliveryView"];
type Event = Schemas["NewWebhook"]["events"][number];
type Tone = "good" | "bad" | "idle";

/** What can be asked for, the ends first, for they are what most want. */
export const EVENTS: readonly Event[] = [
  "execution.succeeded",
  "execution.failed",
  "execution.timed_out",
  "execution.canceled",
  "execution.crashed",
  "batch.ended",
  "execution.queued",
  "execution.preparing",
  "execution.running",
  "execution.paused",
  "execution.stopping",
  "execution.cancel_requested",
  "execution.updated",
  "execution.progress",
  "execution.deleted",
];

/** Every end of an execution: what is sent where nothing else is said. */
export const ENDS = EVENTS.slice(0, 5);

/** Those of some names that can be asked for. */
export function askable(names: readonly string[]): Event[] {
  return EVENTS.filter((event) => names.includes(event));
}

/** What is sent, in a few words. */
export function spellEvents(events: readonly string[]): string {
  const hasEnds = ENDS.every((event) => events.includes(event));
  const others = events.filter((event) => !hasEnds || !ENDS.some((end) => end === event));
  const said = others.map((event) =>
    event === "batch.ended" ? "end of a batch" : event.replace("execution.", "").replaceAll("_", " "),
  );
  return capitalized((hasEnds ? ["every end", ...said] : said).join(", "));
}

/** Of what it is sent, in one sentence. */
export function spellFilter({ owner, execution, batch, pools, methods, labels }: Webhook): string {
  if (execution) return "Of one execution, that it came with";
  if (batch) return "Of one batch, that it came with";
  const parts = [owner === "*" ? "Of all owners" : "Of what is theirs"];
  if (pools.length > 0) parts.push(`in ${pools.join(" or ")}`);
  if (methods.length > 0) parts.push(`of ${methods.join(" or ")}`);
  const pairs = spellLabels(labels);
  if (pairs) parts.push(`with ${pairs.split("\n").join(" and ")}`);
  return parts.join(", ");
}

/** How a webhook stands at a moment, in a word, and why in a sentence. */
export function standingOf(webhook: Webhook, now: number): { word: string; tone: Tone; why: string | null } {
  const { enabled, disabled_reason, failures, paused_until } = webhook;
  if (!enabled) return { word: "Disabled", tone: disabled_reason ? "bad" : "idle", why: disabled_reason };
  const inRow = failures === 1 ? "The last try failed." : `The last ${failures} tries failed.`;
  if (paused_until && Date.parse(paused_until) > now)
    return {
      word: "Left alone",
      tone: "bad",
      why: `${inRow} Nothing is sent for a while, then one message is tried.`,
    };
  if (failures > 0) return { word: "Failing", tone: "bad", why: inRow };
  return { word: "Enabled", tone: "good", why: null };
}

/** How a delivery stands. */
export const DELIVERIES: Record<Delivery["state"], { word: string; tone: Tone }> = {
  waiting: { word: "Waiting", tone: "idle" },
  delivered: { word: "Delivered", tone: "good" },
  failed: { word: "Given up", tone: "bad" },
};

/** What came of one try: the status that was answered, or why there was none. */
export function answerOf({ status, error }: Schemas["Try"]): string {
  return status === null ? (error ?? "No answer") : `Answered ${status}`;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
