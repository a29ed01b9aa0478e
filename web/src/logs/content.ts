/** What a terminal would make of text, as the API's plain text does: `app/logs/content.py`, in small. */

const CSI = String.raw`(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?`;
const STRING = String.raw`(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]{0,4096}(?:\x07|\x1b\\|\x9c)`;
/** Escape sequences of all kinds. Of a string that does not end only the beginning. */
const ESCAPE = new RegExp(String.raw`${CSI}|${STRING}|\x1b[ -/]*[0-~]?|[\x90-\x9f]`, "g");
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const ESCAPES = /[\x1b\x90-\x9f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const ERASES = /\x1b\[[0-2]?[KJ]/;

/** Whether there is any escape sequence in it. */
export function hasEscapes(text: string): boolean {
  return ESCAPES.test(text);
}

/** The text without escape sequences. */
export function stripEscapes(text: string): string {
  return hasEscapes(text) ? text.replace(ESCAPE, "") : text;
}

/** Each escape sequence of a text with its place, in order. */
export function escapesOf(text: string): IterableIterator<RegExpMatchArray> {
  return text.matchAll(ESCAPE);
}

/** What is left of a line that returned to its beginning, once or more. One that is `open` may do so again. */
export function lastState(text: string, open = false): string {
  if (!text.includes("\r")) return text;
  const body = text.replace(/\r+$/, "");
  const rest = open && body.length < text.length ? "\r" : "";
  return (body.split("\r").findLast(draws) ?? "") + rest;
}

/** Whether nothing is left of what stood in the line before this text. */
export function drawsOver(text: string): boolean {
  return text.includes("\r") && text.split("\r").slice(1).some(draws);
}

function draws(text: string): boolean {
  return text !== "" && (ERASES.test(text) || stripEscapes(text) !== "");
}
