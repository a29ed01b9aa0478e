import { describe, expect, it } from "vitest";
import { spansOf } from "./ansi";
import { expressionOf, markedSpans } from "./matching";
import { localTime, relativeTime, sinceOf } from "./moment";
import { hashOfLines, linesBetween, linesOfHash } from "./permalink";
import { firstAfter } from "./search";

describe("matches in a line", () => {
  const marked = (text: string, grep: string, ignoreCase = false) =>
    markedSpans(spansOf(text), expressionOf({ grep, ignoreCase }))
      .filter((piece) => piece.marked)
      .map((piece) => piece.text);

  it("are marked, also over colours", () => {
    expect(marked("loss 0.5, loss 0.3", "loss 0\\.\\d")).toEqual(["loss 0.5", "loss 0.3"]);
    expect(marked("\x1b[31mER\x1b[1mROR\x1b[0m: x", "ERROR")).toEqual(["ER", "ROR"]);
    expect(marked("nothing", "x*")).toEqual([]);
  });

  it("leave the line as it is", () => {
    const pieces = markedSpans(spansOf("a\x1b[31mbcd\x1b[0mef"), /bc|e/g);
    expect(pieces.map(({ text }) => text).join("")).toBe("abcdef");
    expect(pieces.filter((piece) => piece.marked).map((piece) => piece.text)).toEqual(["bc", "e"]);
  });

  it("are those of RE2 where browsers can tell", () => {
    expect(marked("Error", "(?i)error")).toEqual(["Error"]);
    expect(marked("Error", "error", true)).toEqual(["Error"]);
    expect(marked("a-b", "(?P<name>a\\-b)")).toEqual(["a-b"]);
    expect(expressionOf({ grep: "\\pL+", ignoreCase: false })).toBeNull();
    expect(expressionOf({ grep: "[[:alpha:]]", ignoreCase: false })).toBeNull();
  });
});

it("finds the first number above another", () => {
  expect([0, 1, 2, 5, 9].map((value) => firstAfter([2, 5, 9], value))).toEqual([0, 0, 1, 2, 3]);
});

describe("permalinks", () => {
  it("name a line or some", () => {
    expect(linesOfHash("#L12")).toEqual({ from: 12, to: 12 });
    expect(linesOfHash("L20-L12")).toEqual({ from: 12, to: 20 });
    expect(linesOfHash("L12-20")).toEqual({ from: 12, to: 20 });
    for (const hash of ["", "#", "#L", "#main", "#L1x"]) expect(linesOfHash(hash)).toBeNull();
    expect(hashOfLines({ from: 12, to: 20 })).toBe("L12-L20");
    expect(hashOfLines({ from: 3, to: 3 })).toBe("L3");
  });

  it("grow in both directions", () => {
    expect(linesBetween(5, 5)).toEqual({ from: 5, to: 5 });
    expect(linesBetween(9, 5)).toEqual({ from: 5, to: 9 });
  });
});

describe("times", () => {
  const start = new Date(2026, 10, 21, 14, 3, 7, 250).getTime();

  it("stand beside lines", () => {
    expect(localTime(start)).toBe("14:03:07.250");
    expect(relativeTime(start + 62_345, start)).toBe("+1:02.345");
    expect(relativeTime(start + 7_262_345, start)).toBe("+2:01:02.345");
    expect(relativeTime(start - 100, start)).toBe("−0:00.100");
  });

  it("are understood as people type them", () => {
    const at = (typed: string) => Date.parse(sinceOf(typed, start)) - start;
    expect(at("14:03:07.500")).toBe(250);
    expect(at("14:05")).toBe(112_750);
    expect(at("9:00")).toBeGreaterThan(0);
    expect(at("14:03:07")).toBe(-250);
    expect(at("+90s")).toBe(90_000);
    expect(at("+1:30")).toBe(90_000);
    expect(at("+ 1h 2m")).toBe(3_720_000);
    expect(sinceOf(" 10m ", start)).toBe("10m");
    expect(sinceOf("2026-11-21T03:32:20Z", start)).toBe("2026-11-21T03:32:20Z");
  });
});
