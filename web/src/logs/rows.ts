import { type Style, styleAfter } from "./ansi";
import { drawsOver, lastState, stripEscapes } from "./content";
import type { Gap, LogRecord, Stream } from "./frames";

/** A row is cut when it has more than this: a line may have no end. */
export const ROW_CHARS = 65_536;
/** Of a long row so many are shown, until somebody asks for more. */
export const SHOWN_CHARS = 4_096;

/** A line as it is shown: joined records of a stream, of what was written over the last state. Never changed in place. */
export interface LineRow {
  kind: "line";
  /** Of its first record: the number of the line. */
  seq: number;
  /** Of its last record so far. */
  last: number;
  at: number;
  stream: Stream;
  text: string;
  /** What the lines before it have left on. */
  style: Style | null;
  /** Characters that are seen. */
  cells: number;
  /** Whether more of it may come. */
  continues: boolean;
  /** Whether nothing is left of what may have stood in the line before `text`. */
  redraws: boolean;
  /** Whether it goes on in a line that became too long for one row. */
  part: boolean;
}

/** Lines that are missing. */
export interface GapRow {
  kind: "gap";
  seq: number;
  last: number;
  reason: string;
}

export type Row = LineRow | GapRow;

export function rowOf(record: LogRecord, before: Style | null, part = false): LineRow {
  const { seq, at, stream, continues } = record;
  const text = lastState(record.text, continues);
  const style = styleOfRest(record.text, text, before);
  const redraws = drawsOver(record.text);
  return {
    kind: "line",
    seq,
    last: seq,
    at,
    stream,
    text,
    style,
    cells: cellsOf(text),
    continues,
    redraws,
    part,
  };
}

/** A row, and what follows in its line: a record, or a row that began in the middle of it. */
export function extended(row: LineRow, next: LogRecord | LineRow): LineRow {
  const said = row.text + next.text;
  const redraws = next.kind === "line" && next.redraws;
  const text = redraws ? next.text : lastState(said, next.continues);
  return {
    ...row,
    last: next.kind === "line" ? next.last : next.seq,
    text,
    style: next.kind === "line" && redraws ? next.style : styleOfRest(said, text, row.style),
    cells: cellsOf(text),
    continues: next.continues,
    redraws: row.redraws || redraws || drawsOver(said),
  };
}

export function gapRowOf({ from, to, reason }: Gap): GapRow {
  return { kind: "gap", seq: from, last: to, reason };
}

/** One gap, where one ends at the other's beginning. */
export function joinedGap(before: Row | undefined, after: Row | undefined): GapRow | null {
  if (before?.kind !== "gap" || after?.kind !== "gap") return null;
  if (before.last + 1 < after.seq || before.reason !== after.reason) return null;
  return { ...before, last: after.last };
}

/** The text as it is copied: what is seen of it. */
export function plainText(row: Row): string {
  if (row.kind === "gap") return sentenceOf(row);
  return stripEscapes(row.text).replaceAll("\r", "");
}

const REASONS: Record<string, string> = {
  log_limit: "the log has grown beyond its limit",
  not_imported: "the bundle that it came with had no log",
  expired: "the log is kept no longer",
  masking_unavailable: "secrets could not be masked",
  engine_log_rotated: "the container engine had dropped them",
};

/** `Lines 12–40 are missing: the log has grown beyond its limit.` */
export function sentenceOf({ seq, last, reason }: GapRow): string {
  const because = REASONS[reason] ?? reason;
  // How many there were is not known then.
  if (reason === "engine_log_rotated") return `Some lines are missing: ${because}.`;
  if (seq === last) return `Line ${seq.toLocaleString("en")} is missing: ${because}.`;
  return `Lines ${seq.toLocaleString("en")}–${last.toLocaleString("en")} are missing: ${because}.`;
}

/** In what begins what is left of a line that was written over. */
function styleOfRest(said: string, rest: string, before: Style | null): Style | null {
  if (rest === said) return before;
  return styleAfter(said.slice(0, said.lastIndexOf(rest.replace(/\r$/, ""))), before);
}

function cellsOf(text: string): number {
  return Math.min(text.length, text.includes("\x1b") ? stripEscapes(text).length : text.length);
}
