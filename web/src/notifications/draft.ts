import type { Cause, Schemas } from "../api/types";
import { readLabels, spellLabels } from "../ui/labelText";
import { type End, FAILURES, type Rule, type What, whatOf } from "./telling";

const LABEL = "label:";

/** What a form of a rule holds. */
export interface RuleDraft {
  /** Left empty in a change: it stays, and nobody sees it. */
  to: string;
  what: What;
  statuses: End[];
  causes: Cause[];
  alertAfter: number | string;
  per: "name" | "method" | "label";
  /** With `per` as a label: its key. */
  perLabel: string;
  pools: string[];
  methods: string[];
  labels: string;
  description: string;
  isOfAll: boolean;
}

/** What the form begins with. */
export function draftOf(rule: Rule | undefined): RuleDraft {
  const per = rule?.per ?? "name";
  return {
    to: "",
    what: rule ? whatOf(rule) : "ends",
    statuses: (rule?.statuses as End[] | undefined) ?? [...FAILURES],
    causes: rule?.causes ?? [],
    alertAfter: rule?.alert_after ?? 3,
    per: per.startsWith(LABEL) ? "label" : per === "method" ? "method" : "name",
    perLabel: per.startsWith(LABEL) ? per.slice(LABEL.length) : "",
    pools: rule?.pools ?? [],
    methods: rule?.methods ?? [],
    labels: spellLabels(rule?.labels ?? {}),
    description: rule?.description ?? "",
    isOfAll: false,
  };
}

/** What a form says of a rule, but for where to. */
export function bodyOf(draft: RuleDraft): Omit<Schemas["RuleChange"], "to" | "enabled"> {
  const isCounted = draft.what === "streaks";
  return {
    batches: draft.what === "batches",
    statuses: draft.statuses,
    causes: draft.what === "batches" ? [] : draft.causes,
    alert_after: isCounted ? Number(draft.alertAfter) : null,
    per: isCounted && draft.per === "label" ? `${LABEL}${draft.perLabel.trim()}` : perOf(draft, isCounted),
    pools: draft.pools,
    methods: draft.methods,
    labels: readLabels(draft.labels),
    description: draft.description.trim() || null,
  };
}

function perOf({ per }: RuleDraft, isCounted: boolean): string {
  return isCounted && per === "method" ? "method" : "name";
}
