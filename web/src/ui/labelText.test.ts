import { expect, test } from "vitest";
import { readLabels, spellLabels } from "./labelText";

test("Labels come back as they were typed", () => {
  const labels = { team: "a", url: "x=y", sure: "" };
  expect(readLabels(spellLabels(labels))).toEqual(labels);
  expect(readLabels(" team = a \n\nsure")).toEqual({ team: "a", sure: "" });
});
