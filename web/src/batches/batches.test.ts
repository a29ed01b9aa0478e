import { expect, it } from "vitest";
import { placesOf } from "./layers";
import { sharesOf } from "./shares";
import { varying } from "./varying";

it("counts what there is, what has ended first", () => {
  expect(sharesOf({ running: 1, succeeded: 2, failed: 1, queued: 0 }, 4)).toEqual([
    { status: "succeeded", count: 2, percent: 50 },
    { status: "failed", count: 1, percent: 25 },
    { status: "running", count: 1, percent: 25 },
  ]);
});

it("shows the inputs in which children differ", () => {
  expect(
    varying([
      { a: 1, b: [1], c: "x" },
      { a: 1, b: [2], c: "x" },
      { a: 1, b: [1], c: "x", d: null },
    ]),
  ).toEqual(["b", "d"]);
  expect(varying([{ a: 1 }])).toEqual([]);
});

it("puts each behind what it needs", () => {
  const needs = new Map([
    ["fetch", []],
    ["train", ["fetch"]],
    ["clean", ["fetch", "gone"]],
    ["report", ["train", "fetch"]],
  ]);
  expect(placesOf(needs)).toEqual([
    { key: "fetch", column: 0, row: 0 },
    { key: "train", column: 1, row: 0 },
    { key: "clean", column: 1, row: 1 },
    { key: "report", column: 2, row: 0 },
  ]);
  expect(
    placesOf(
      new Map([
        ["a", ["b"]],
        ["b", ["a"]],
      ]),
    ).map(({ key }) => key),
  ).toEqual(["a", "b"]);
});
