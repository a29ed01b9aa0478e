import { expect, it } from "vitest";
import { FormErrors } from "./errors";

const errors = FormErrors.of(
  [
    { field: "defaults.limits.timeout", code: "greater_than_equal", message: "must be at least 1" },
    { field: "defaults.inputs.word", code: "pattern", message: "must match the pattern `^a$`" },
    { field: "defaults.inputs.text", code: "missing", message: "is required" },
    { field: "matrix.inputs.rate[0]", code: "type", message: "must be a number" },
  ],
  "defaults.",
);

it("finds errors at their fields, those of parts at the whole", () => {
  expect(errors.at("limits.timeout")).toBe("Must be at least 1.");
  expect(errors.at("limits")).toBe("timeout must be at least 1.");
  expect(errors.at("limits.time")).toBeUndefined();
  expect(errors.at("matrix.inputs.rate")).toBe("[0] must be a number.");
  expect(errors.exactlyAt("limits")).toBeUndefined();
});

it("tells what no field shows, and what is only missing", () => {
  expect(errors.elsewhere(["limits", "inputs"]).map(({ field }) => field)).toEqual(["matrix.inputs.rate[0]"]);
  expect(errors.count(["inputs"])).toBe(2);
  expect(errors.missing).toEqual(["inputs.text"]);
  expect(errors.withoutMissing().at("inputs.text")).toBeUndefined();
});
