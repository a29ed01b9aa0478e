import { describe, expect, it } from "vitest";
import type { Item, LogRecord, Stream } from "./frames";
import { plainText, ROW_CHARS, sentenceOf } from "./rows";
import { Segment } from "./segment";

function record(
  seq: number,
  text: string,
  { stream = "stdout" as Stream, continues = false } = {},
): LogRecord {
  return { kind: "record", seq, at: seq, stream, text, continues };
}

function lines(from: number, to: number): LogRecord[] {
  return Array.from({ length: to - from + 1 }, (_, index) => record(from + index, `line ${from + index}`));
}

function segment(from: number, items: readonly Item[]): Segment {
  const made = new Segment(from);
  made.append(items);
  return made;
}

function shown(of: Segment): [number, string][] {
  return of.rows.map((row) => [row.seq, plainText(row)]);
}

/** A log of two streams with cut lines, colours that are left on, a progress bar and a gap. */
const LOG: Item[] = [
  record(1, "queued", { stream: "system" }),
  record(2, "name? ", { continues: true }),
  record(3, "\x1b[31moops", { stream: "stderr" }),
  record(4, "Ada \x1b[1;32mLovelace"),
  record(5, " 10%\r", { stream: "stderr", continues: true }),
  record(6, "between"),
  record(7, " 20%\r 30%\r", { stream: "stderr", continues: true }),
  record(8, "begun ", { continues: true }),
  record(9, " 40%\r", { stream: "stderr", continues: true }),
  record(10, "and\x1b[22m ended"),
  record(11, "done", { stream: "stderr" }),
  { kind: "gap", from: 12, to: 40, reason: "log_limit" },
  record(41, "after the gap"),
  record(42, "half a line", { continues: true }),
];

describe("rows of a log", () => {
  it("joins what belongs to one line, and shows the last state of what was written over", () => {
    expect(shown(segment(1, LOG))).toEqual([
      [1, "queued"],
      [2, "name? Ada Lovelace"],
      [3, "oops"],
      [5, "done"],
      [6, "between"],
      [8, "begun and ended"],
      [12, "Lines 12–40 are missing: the log has grown beyond its limit."],
      [41, "after the gap"],
      [42, "half a line"],
    ]);
  });

  it("does not depend on where it was cut", () => {
    const whole = segment(1, LOG);
    for (let cut = 1; cut < LOG.length; cut += 1) {
      const before = segment(1, LOG.slice(0, cut));
      const joined = before.followedBy(segment(before.to + 1, LOG.slice(cut)));
      expect(joined.rows, `cut at ${cut}`).toEqual(whole.rows);
      joined.append([record(43, " and the rest")]);
      expect(joined.rows.at(-1)).toMatchObject({ seq: 42, last: 43, text: "half a line and the rest" });
    }
  });

  it("goes on in the colours that a line has left on, until they are turned off or lines are missing", () => {
    const styles = segment(1, LOG).rows.map((row) => (row.kind === "line" ? row.style : "gap"));
    const [green, red] = [{ bold: true, color: 2 }, { color: 1 }];
    expect(styles).toEqual([null, null, null, red, green, green, "gap", null, null]);
    const cut = segment(1, LOG.slice(0, 4)).followedBy(segment(5, LOG.slice(4, 10)));
    cut.append([record(11, "on"), record(12, "\x1b[moff"), record(13, "still")]);
    expect(cut.rows.slice(-3)).toMatchObject([
      { style: { color: 2 } },
      { style: { color: 2 } },
      { style: null },
    ]);
  });

  it("begins each line without colours where lines between them are left out", () => {
    const narrowed = new Segment(1, true);
    narrowed.append([record(1, "\x1b[31mred ", { continues: true }), record(5, "red"), record(9, "plain")]);
    expect(narrowed.rows).toMatchObject([{ text: "\x1b[31mred red" }, { text: "plain", style: null }]);
    const behind = new Segment(10, true);
    behind.append([record(10, "plain")]);
    expect(narrowed.followedBy(behind).rows.at(-1)).toMatchObject({ style: null });
  });

  it("takes nothing twice", () => {
    const made = segment(1, LOG.slice(0, 6));
    made.append(LOG);
    expect(made.rows).toEqual(segment(1, LOG).rows);
  });

  it("makes one gap of those that follow each other", () => {
    const gap = (from: number, to: number): Item => ({ kind: "gap", from, to, reason: "log_limit" });
    const joined = segment(1, [gap(1, 5)]).followedBy(segment(6, [gap(6, 9), record(10, "x")]));
    expect(joined.rows).toHaveLength(2);
    expect(joined.rows[0]).toMatchObject({ seq: 1, last: 9 });
  });

  it("ends a line where lines are missing", () => {
    const made = segment(1, [
      record(1, "half", { continues: true }),
      { kind: "gap", from: 2, to: 3, reason: "expired" },
      record(4, "another"),
    ]);
    expect(shown(made).map(([, text]) => text)).toEqual([
      "half",
      expect.stringContaining("kept no longer"),
      "another",
    ]);
  });

  it("cuts a line that does not end", () => {
    const made = new Segment(1);
    const piece = "x".repeat(16_384);
    for (let seq = 1; seq <= 20; seq += 1) made.append([record(seq, piece, { continues: true })]);
    expect(made.rows).toHaveLength(4);
    for (const row of made.rows) expect(plainText(row).length).toBeLessThanOrEqual(ROW_CHARS + piece.length);
    expect(made.rows.slice(1)).toMatchObject([{ part: true }, { part: true }, { part: true }]);
    expect(made.chars).toBe(20 * piece.length);
  });

  it("holds a bar that is drawn for hours as its last state", () => {
    const made = new Segment(1);
    for (let seq = 1; seq <= 5_000; seq += 1) made.append([record(seq, `\r ${seq}`, { continues: true })]);
    expect(made.rows).toHaveLength(1);
    expect(made.chars).toBeLessThan(10);
    expect(made.rows[0]).toMatchObject({ seq: 1, last: 5_000, text: " 5000" });
  });
});

describe("its bounds", () => {
  it("forgets at the beginning", () => {
    const made = segment(1, lines(1, 100));
    made.dropHead(30);
    expect([made.from, made.to, made.rows.length]).toEqual([71, 100, 30]);
    made.append([record(101, "on")]);
    expect(made.rows.at(-1)).toMatchObject({ seq: 101 });
    expect(made.chars).toBe(made.rows.reduce((sum, row) => sum + plainText(row).length, 0));
  });

  it("forgets at the end, and what comes later joins it again", () => {
    const whole = segment(1, lines(1, 100));
    const made = segment(1, lines(1, 100));
    made.dropTail(40);
    expect([made.from, made.to]).toEqual([1, 40]);
    expect(made.followedBy(segment(41, lines(41, 100))).rows).toEqual(whole.rows);
  });

  it("cuts no line that is interleaved with others", () => {
    for (let keep = 1; keep < 9; keep += 1) {
      const made = segment(1, LOG);
      made.dropTail(keep);
      const rest = LOG.filter((item) => (item.kind === "gap" ? item.from : item.seq) > made.to);
      if (made.to > 0)
        expect(made.followedBy(segment(made.to + 1, rest)).rows, String(keep)).toEqual(segment(1, LOG).rows);
    }
  });

  it("finds a line by its number, or the one before it", () => {
    const made = segment(1, LOG);
    expect(made.rows[made.placeOf(10)]).toMatchObject({ seq: 8 });
    expect(made.rows[made.placeOf(30)]).toMatchObject({ seq: 12 });
    expect(made.placeOf(0)).toBe(0);
  });
});

it("says what is missing", () => {
  expect(sentenceOf({ kind: "gap", seq: 1396, last: 30_001, reason: "log_limit" })).toBe(
    "Lines 1,396–30,001 are missing: the log has grown beyond its limit.",
  );
  expect(sentenceOf({ kind: "gap", seq: 3, last: 3, reason: "engine_log_rotated" })).toContain("Some lines");
});
