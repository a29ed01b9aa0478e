import type { Cause, Status } from "../api/types";

export type Stream = "stdout" | "stderr" | "system";

const STREAMS: Record<string, Stream> = { o: "stdout", e: "stderr", s: "system" };

/** A line, or a piece of one that goes on in the next record of its stream; docs/logs.md. `at` is unix milliseconds. */
export interface LogRecord {
  kind: "record";
  seq: number;
  at: number;
  stream: Stream;
  text: string;
  continues: boolean;
}

/** Records `from`–`to`, both included, are not kept. */
export interface Gap {
  kind: "gap";
  from: number;
  to: number;
  reason: string;
}

export type Item = LogRecord | Gap;

/** Why an answer ends before the log does, and where to go on. */
export interface More {
  after: number;
  reason: string;
}

export interface End {
  status: Status;
  cause: Cause | null;
  exit_code: number | null;
  lines: number;
  bytes: number;
  after: number;
}

/** What came in one message of the WebSocket. `after` is the cursor that it tells, if it tells one. */
export type Message =
  | { type: "items"; items: Item[]; after: number }
  | { type: "hello"; status: Status; after: number }
  | { type: "status"; status: Status }
  | { type: "more"; more: More }
  | { type: "end"; end: End };

type Line = [at: number, letter: string, text: string, continues?: "+"];

type Frame =
  | { type: "lines"; first: number; lines: Line[] }
  | { type: "gap"; from: number; to: number; reason: string }
  | { type: "hello"; status: Status; after: number }
  | { type: "status"; status: Status }
  | ({ type: "more" } & More)
  | ({ type: "end" } & End);

/** A frame of `WS …/tail`; null if it is of a kind that is not needed here, or not known yet. */
export function messageOf(data: string): Message | null {
  const frame = JSON.parse(data) as Frame;
  switch (frame.type) {
    case "lines":
      return {
        type: "items",
        items: frame.lines.map((line, index) => recordOf(frame.first + index, line)),
        after: frame.first + frame.lines.length - 1,
      };
    case "gap":
      return { type: "items", items: [{ ...frame, kind: "gap" }], after: frame.to };
    case "hello":
    case "status":
      return frame;
    case "more":
      return { type: "more", more: frame };
    case "end":
      return { type: "end", end: frame };
    default:
      return null;
  }
}

function recordOf(seq: number, [at, letter, text, continues]: Line): LogRecord {
  return { kind: "record", seq, at, stream: STREAMS[letter] ?? "system", text, continues: continues === "+" };
}

interface JsonLine {
  type?: undefined;
  seq: number;
  at: string;
  stream: Stream;
  text: string;
  continues?: true;
}

type JsonGap = { type: "gap"; from: number; to: number; reason: string };
type JsonMore = { type: "more" } & More;

/** An answer of `GET …/logs` as NDJSON: its items, and where it breaks off. */
export function pageOf(body: string): { items: Item[]; more: More | null } {
  const items: Item[] = [];
  let more: More | null = null;
  // Parsed at once: a page has a thousand of them.
  const lines = JSON.parse(`[${body.trimEnd().replaceAll("\n", ",")}]`) as (JsonLine | JsonGap | JsonMore)[];
  for (const line of lines) {
    if (line.type === "gap") items.push({ kind: "gap", from: line.from, to: line.to, reason: line.reason });
    else if (line.type === "more") more = { after: line.after, reason: line.reason };
    else if (line.type === undefined) {
      const { seq, at, stream, text, continues = false } = line;
      items.push({ kind: "record", seq, at: Date.parse(at), stream, text, continues });
    }
  }
  return { items, more };
}

/** The last seq that an item stands for. */
export function lastOf(item: Item): number {
  return item.kind === "gap" ? item.to : item.seq;
}
