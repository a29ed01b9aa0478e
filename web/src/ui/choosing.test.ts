import { expect, test } from "vitest";
import { between } from "./choosing";

const keys = ["a", "b", "c", "d"];

test("a range has both its ends, whichever way it was chosen", () => {
  expect(between(keys, "b", "d")).toEqual(["b", "c", "d"]);
  expect(between(keys, "d", "b")).toEqual(["b", "c", "d"]);
  expect(between(keys, "c", "c")).toEqual(["c"]);
});

test("where its beginning has left the list, only its end is chosen", () => {
  expect(between(keys, "gone", "b")).toEqual(["b"]);
});
