import { expect, test } from "vitest";
import type { Entry } from "./queries";
import { outcomeOf, pageOf, spellAction } from "./spelling";

const ENTRY: Entry = {
  id: 4711,
  at: "2026-01-15T09:00:00Z",
  action: "cancel_execution",
  object: "executions/1",
  owner: "ann",
  actor: "admin",
  token_id: null,
  token_name: null,
  address: null,
  request_id: null,
  status: 202,
};

test("An operation is spelled as words", () => {
  expect(spellAction("cancel_execution")).toBe("Cancel execution");
});

test("What came of it is told by the status of the answer", () => {
  expect(outcomeOf(ENTRY).word).toBe("Done");
  expect(outcomeOf({ ...ENTRY, status: 403 }).word).toBe("Refused");
});

test.each([
  ["executions/019a", { to: "/executions/019a" }],
  ["executions/019a/outputs", { to: "/executions/019a" }],
  ["methods/train/versions/1.0.0", { to: "/methods/train" }],
  ["pools/gpu", { to: "/workers" }],
  ["quotas/ann", { to: "/usage", search: { owner: "ann" } }],
  ["secrets/db", { to: "/secrets" }],
  ["executions", null],
  ["something/else", null],
])("%s has its page", (object, page) => {
  expect(pageOf(object)).toEqual(page);
});
