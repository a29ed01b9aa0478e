import { describe, expect, it } from "vitest";
import { messageOf, pageOf } from "./frames";

describe("frames of the WebSocket", () => {
  it("has records with their seqs, and the cursor behind them", () => {
    const frame = '{"type":"lines","first":4,"lines":[[1,"o","a"],[2,"e","b","+"],[3,"s","c"]]}';
    expect(messageOf(frame)).toEqual({
      type: "items",
      after: 6,
      items: [
        { kind: "record", seq: 4, at: 1, stream: "stdout", text: "a", continues: false },
        { kind: "record", seq: 5, at: 2, stream: "stderr", text: "b", continues: true },
        { kind: "record", seq: 6, at: 3, stream: "system", text: "c", continues: false },
      ],
    });
  });

  it("takes one without lines for a cursor", () => {
    expect(messageOf('{"type":"lines","first":9,"lines":[]}')).toEqual({
      type: "items",
      items: [],
      after: 8,
    });
  });

  it("ignores what it does not know", () => {
    expect(messageOf('{"type":"progress","percent":3,"phase":null,"at":"x"}')).toBeNull();
    expect(messageOf('{"type":"of another time"}')).toBeNull();
  });
});

describe("a page of NDJSON", () => {
  it("has the same, and where it breaks off", () => {
    const body = [
      '{"seq":2,"at":"2026-11-21T03:32:20.614+00:00","stream":"stdout","text":"one"}',
      '{"type":"gap","from":3,"to":9,"reason":"log_limit"}',
      '{"seq":10,"at":"2026-11-21T03:32:20.615+00:00","stream":"stderr","text":"two","continues":true}',
      '{"type":"more","after":10,"reason":"limit"}',
      "",
    ].join("\n");
    const { items, more } = pageOf(body);
    expect(items).toMatchObject([
      {
        kind: "record",
        seq: 2,
        at: Date.UTC(2026, 10, 21, 3, 32, 20, 614),
        stream: "stdout",
        continues: false,
      },
      { kind: "gap", from: 3, to: 9, reason: "log_limit" },
      { kind: "record", seq: 10, stream: "stderr", text: "two", continues: true },
    ]);
    expect(more).toMatchObject({ after: 10, reason: "limit" });
  });

  it("may be empty", () => expect(pageOf("")).toEqual({ items: [], more: null }));
});
