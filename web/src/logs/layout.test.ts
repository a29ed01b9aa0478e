import { describe, expect, it } from "vitest";
import { Layout, seqAtShare, thumbOf } from "./layout";
import { type Row, rowOf } from "./rows";

const rows: Row[] = Array.from({ length: 1000 }, (_, index) =>
  rowOf(
    {
      kind: "record",
      seq: index + 1,
      at: 0,
      stream: "stdout",
      text: "x".repeat(index % 25),
      continues: false,
    },
    null,
  ),
);

describe.each([
  ["one line each", null],
  ["wrapped", { columns: 10, measured: new Map([[3, 7]]) }],
])("rows of %s", (_, wrapped) => {
  const layout = new Layout(rows, 20, wrapped);

  it("lie one below the other, and are found by where they lie", () => {
    for (const index of [0, 1, 2, 3, 499, 998, 999]) {
      const [top, next] = [layout.topOf(index), layout.topOf(index + 1)];
      expect(next).toBeGreaterThan(top);
      expect(layout.indexAt(top)).toBe(index);
      expect(layout.indexAt(next - 1)).toBe(index);
    }
    expect(layout.topOf(1000)).toBe(layout.height);
    expect(layout.indexAt(1e9)).toBe(999);
    expect(layout.indexAt(-5)).toBe(0);
  });
});

it("takes what was measured for what it is", () => {
  const layout = new Layout(rows, 20, { columns: 10, measured: new Map([[3, 7]]) });
  expect(layout.topOf(3) - layout.topOf(2)).toBe(140);
  expect(layout.topOf(22) - layout.topOf(21)).toBe(60);
});

it("is nothing without rows", () => {
  expect(new Layout([], 20, null).height).toBe(0);
  expect(new Layout([], 20, null).indexAt(10)).toBe(0);
});

describe("the scroll bar for the whole log", () => {
  it("is at its ends where the log is", () => {
    expect(thumbOf(1, 40, 1_000_000).start).toBe(0);
    const { start, size } = thumbOf(999_961, 1_000_000, 1_000_000);
    expect(start + size).toBeCloseTo(1);
    expect(thumbOf(1, 10, 10)).toEqual({ start: 0, size: 1 });
    expect(thumbOf(1, 1, 0)).toEqual({ start: 0, size: 1 });
  });

  it("stands for lines by their numbers", () => {
    expect(seqAtShare(0, 1000)).toBe(1);
    expect(seqAtShare(1, 1000)).toBe(1000);
    expect(seqAtShare(0.5, 1001)).toBe(501);
    expect(seqAtShare(0.5, 0)).toBe(1);
  });
});
