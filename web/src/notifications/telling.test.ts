import { expect, test } from "vitest";
import { FAILURES, type Rule, spellOfWhat, spellWhen, whatOf } from "./telling";

const RULE: Rule = {
  id: "019aa2c4-7b1e-7c51-9c0f-2f5d8a6b1c30",
  owner: "ann",
  channel: "mailtos",
  batches: false,
  statuses: [...FAILURES],
  causes: [],
  pools: [],
  methods: [],
  labels: {},
  alert_after: null,
  per: "name",
  enabled: true,
  description: null,
  created_at: "2026-01-15T09:00:00Z",
  updated_at: "2026-01-15T09:00:00Z",
};

test("When something is said is one sentence", () => {
  expect(spellWhen(RULE)).toBe("Every end: failed, timed out, crashed");
  expect(spellWhen({ ...RULE, batches: true, statuses: ["succeeded"] })).toBe("End of a batch: succeeded");
  const inRow = { ...RULE, alert_after: 3, per: "label:team" };
  expect(whatOf(inRow)).toBe("streaks");
  expect(spellWhen(inRow)).toBe("3 failures in a row of the same label team, and the recovery");
});

test("Of what it is said is one sentence", () => {
  expect(spellOfWhat(RULE)).toBe("Of what is theirs");
  const narrow = {
    ...RULE,
    owner: "*",
    pools: ["a", "b"],
    labels: { team: "x" },
    causes: ["oom_killed" as const],
  };
  expect(spellOfWhat(narrow)).toBe("Of all owners, in a or b, by oom_killed, with team=x");
});
