import { expect, test } from "vitest";
import type { Target } from "../schedules/targets";
import { hiddenIn, prefillOf } from "./prefill";
import { requestOf, targetFor } from "./requests";

const DEFAULTS = { image: "busybox:local", command: ["true"], name: "report", inputs: { part: 2 } };

test.each<[string, Target]>([
  ["an image", { execution: { ...DEFAULTS, env: { A: "***" }, limits: { timeout: 60 } } }],
  ["a method", { execution: { method: "train@1.0.0", profile: "quick", inputs: { rows: 5 } } }],
  ["copies", { batch: { name: "report", defaults: DEFAULTS, count: 3, max_parallel: 2 } }],
  [
    "combinations",
    {
      batch: {
        name: "report",
        defaults: DEFAULTS,
        matrix: { inputs: { rate: [0.1, 1] }, env: { B: ["x"] } },
      },
    },
  ],
  [
    "a list",
    { batch: { name: "report", defaults: DEFAULTS, items: [{ inputs: { part: 3 } }], fail_fast: true } },
  ],
  ["steps", { batch: { method: "flow", inputs: { a: 1 }, name: "all", defaults: { pool: "gpu" } } }],
])("What the form makes of %s comes back as it was", (_, target) => {
  const prefill = prefillOf(target);
  expect(prefill && targetFor(requestOf(prefill.subject, prefill.draft))).toEqual(target);
});

test.each<[string, Target]>([
  ["children found by a query", { batch: { query: { label: ["a"] }, defaults: DEFAULTS } }],
  ["a batch called otherwise than its children", { batch: { name: "other", defaults: DEFAULTS, count: 2 } }],
  ["labels of the batch", { batch: { name: "report", labels: { a: "b" }, defaults: DEFAULTS, count: 2 } }],
  ["steps whose children have names", { batch: { method: "flow", defaults: { name: "x" } } }],
])("%s is nothing that the form can say", (_, target) => {
  expect(prefillOf(target)).toBeNull();
});

test("What is hidden is found, by its name", () => {
  expect(hiddenIn({ env: { A: "x", B: "***" } })).toBe("B");
  expect(hiddenIn({ items: [{ secrets: { KEY: "***" } }] })).toBe("KEY");
  expect(hiddenIn({ note: "*** is fine in a text" })).toBeNull();
});
