import { escapesOf, hasEscapes } from "./content";

/** 0–255: a place in the palette, of which the first 16 have names; else red, green, blue. */
export type Color = number | readonly [number, number, number];

export interface Style {
  color?: Color;
  background?: Color;
  bold?: true;
  dim?: true;
  italic?: true;
  underline?: true;
  strike?: true;
  inverse?: true;
  hidden?: true;
}

/** A piece of a line in one style. */
export interface Span {
  text: string;
  style: Style | null;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROLS = /[\x00-\x08\x0a-\x1f\x7f-\x8f]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: it begins with one
const SGR = /^(?:\x1b\[|\x9b)([\d;:]*)m$/;

/** A line with its colours, which begins in those that were on before it; escape sequences that say anything else are
 * dropped, and control characters. */
export function spansOf(text: string, before: Style | null = null): Span[] {
  if (!hasEscapes(text)) return [{ text: text.replace(CONTROLS, ""), style: before }];
  const spans: Span[] = [];
  let style = before ?? {};
  let at = 0;
  const add = (end: number) => {
    const piece = text.slice(at, end).replace(CONTROLS, "");
    const last = spans.at(-1);
    const named = isPlain(style) ? null : style;
    if (piece && last && last.style === named) last.text += piece;
    else if (piece) spans.push({ text: piece, style: named });
  };
  for (const found of escapesOf(text)) {
    add(found.index ?? 0);
    at = (found.index ?? 0) + found[0].length;
    style = afterSequence(style, found[0]);
  }
  add(text.length);
  return spans;
}

/** What is on after a text, where that was on before it; null is nothing. */
export function styleAfter(text: string, before: Style | null): Style | null {
  if (!hasEscapes(text)) return before;
  let style = before ?? {};
  for (const [sequence] of escapesOf(text)) style = afterSequence(style, sequence);
  return isPlain(style) ? null : style;
}

/** Whether they look alike. */
export function isSameStyle(one: Style | null, other: Style | null): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

function afterSequence(style: Style, sequence: string): Style {
  const sgr = SGR.exec(sequence);
  return sgr ? styled(style, sgr[1] ?? "") : style;
}

function isPlain(style: Style): boolean {
  for (const _ in style) return false;
  return true;
}

/** A style after the parameters of one sequence: `1;38;5;196`, or with colons where they belong together. */
function styled(style: Style, parameters: string): Style {
  let after = { ...style };
  for (const [code = 0, ...rest] of groupsOf(parameters.split(";"))) {
    const color = code === 38 || code === 48 ? extended(rest) : null;
    if (color !== null) after[code === 38 ? "color" : "background"] = color;
    else if (code === 0) after = {};
    else apply(after, code, rest[0]);
  }
  return after;
}

const LENGTHS: Record<string, number> = { 5: 2, 2: 4 };

/** Codes, each with what belongs to it. */
function groupsOf(codes: string[]): number[][] {
  const groups: number[][] = [];
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? "";
    const more = code === "38" || code === "48" ? (LENGTHS[codes[index + 1] ?? ""] ?? 0) : 0;
    groups.push([...code.split(":"), ...codes.slice(index + 1, index + 1 + more)].map(Number));
    index += more;
  }
  return groups;
}

/** The colour after 38 or 48. `38:2::r:g:b` has an empty place for a colour space, which many leave out. */
function extended([kind, ...rest]: number[]): Color | null {
  if (kind === 5) return byte(rest[0]);
  if (kind !== 2) return null;
  const [red, green, blue] = rest.length > 3 ? rest.slice(1) : rest;
  return [byte(red), byte(green), byte(blue)];
}

function byte(value = 0): number {
  return Math.min(255, Math.max(0, value || 0));
}

const ON: Record<number, keyof Style> = {
  1: "bold",
  2: "dim",
  3: "italic",
  4: "underline",
  7: "inverse",
  8: "hidden",
  9: "strike",
  21: "underline",
};

const OFF: Record<number, readonly (keyof Style)[]> = {
  22: ["bold", "dim"],
  23: ["italic"],
  24: ["underline"],
  27: ["inverse"],
  28: ["hidden"],
  29: ["strike"],
  39: ["color"],
  49: ["background"],
};

function apply(style: Style, code: number, kind?: number): void {
  // `4:0` is no line under it, the other kinds are lines of some shape.
  const on = kind === 0 ? undefined : ON[code];
  if (on) Object.assign(style, { [on]: true });
  for (const each of OFF[kind === 0 ? 24 : code] ?? []) delete style[each];
  if (code >= 30 && code <= 37) style.color = code - 30;
  if (code >= 90 && code <= 97) style.color = code - 90 + 8;
  if (code >= 40 && code <= 47) style.background = code - 40;
  if (code >= 100 && code <= 107) style.background = code - 100 + 8;
}
