import type { Schemas } from "../api/types";
import { spellLabels } from "../ui/labelText";
import type { Trigger } from "./queries";
import { nameFor, type Target } from "./targets";

/** What a form of a trigger holds, but for what it submits. */
export interface TriggerDraft {
  name: string;
  note: string;
  labels: string;
  payloadInput: string;
  maxPerMinute: number | string;
  /** Of a new one: how senders sign; null: a token in the address. */
  signature: Schemas["Signature"] | null;
  /** Of a new one that is signed: what they sign with, where that is theirs. */
  secret: string;
}

/** What the form begins with. */
export function draftOf(trigger: Trigger | undefined, target: Target | undefined): TriggerDraft {
  return {
    name: trigger?.name ?? (target ? nameFor(target) : ""),
    note: trigger?.note ?? "",
    labels: spellLabels(trigger?.labels ?? {}),
    payloadInput: trigger?.payload_input ?? "",
    maxPerMinute: trigger?.max_per_minute ?? 60,
    signature: trigger?.signature ?? null,
    secret: "",
  };
}
