import type { Span } from "./ansi";
import type { Pattern } from "./query";

/** A span, and whether it is part of a match. */
export interface Piece extends Span {
  marked: boolean;
}

const MOST_MATCHES = 200;
/** Flags of the whole expression. */
const FLAGS = /^\(\?([ims]+)\)/;
/** What RE2 reads otherwise than browsers do. */
const OTHERWISE = /\\[AzQEC]|\[\[:|\\p[A-Z]/i;

/** What the server looks for, for marking it here; null where this browser would look for something else. */
export function expressionOf({ grep, ignoreCase }: Pattern): RegExp | null {
  const flags = FLAGS.exec(grep)?.[1] ?? "";
  const source = grep.replace(FLAGS, "").replaceAll("(?P<", "(?<");
  if (OTHERWISE.test(source)) return null;
  const wanted = ignoreCase || flags.includes("i") ? "gi" : "g";
  return compiled(source, `${wanted}u`) ?? compiled(source, wanted);
}

function compiled(source: string, flags: string): RegExp | null {
  try {
    return new RegExp(source, flags);
  } catch {
    return null;
  }
}

/** Spans cut where matches begin and end. */
export function markedSpans(spans: readonly Span[], expression: RegExp | null): Piece[] {
  const ranges = expression ? rangesOf(spans.map(({ text }) => text).join(""), expression) : [];
  if (ranges.length === 0) return spans.map((span) => ({ ...span, marked: false }));
  const pieces: Piece[] = [];
  let offset = 0;
  for (const { text, style } of spans) {
    const end = offset + text.length;
    let at = offset;
    for (const [from, to] of ranges) {
      if (to <= at || from >= end) continue;
      if (from > at) pieces.push({ text: text.slice(at - offset, from - offset), style, marked: false });
      const [begin, stop] = [Math.max(from, at), Math.min(to, end)];
      pieces.push({ text: text.slice(begin - offset, stop - offset), style, marked: true });
      at = stop;
    }
    if (at < end) pieces.push({ text: text.slice(at - offset), style, marked: false });
    offset = end;
  }
  return pieces;
}

function rangesOf(text: string, expression: RegExp): [number, number][] {
  const ranges: [number, number][] = [];
  for (const { 0: found, index } of text.matchAll(expression)) {
    if (found) ranges.push([index, index + found.length]);
    if (ranges.length === MOST_MATCHES) break;
  }
  return ranges;
}
