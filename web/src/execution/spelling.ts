/** Texts of programs and limits as people read and copy them. Pure. */
import { spellBytes } from "../ui/Bytes";
import { spell } from "../ui/time";

const PLAIN = /^[\w@%+=:,./-]+$/;

/** An argument as a POSIX shell takes it. */
export function quoted(argument: string): string {
  return PLAIN.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}

/** A list of arguments as one line for a shell. */
export function commandLine(argv: readonly string[]): string {
  return argv.map(quoted).join(" ");
}

// The escape and control characters are what it is about.
// biome-ignore lint/suspicious/noControlCharactersInRegex: see above
const ESCAPES = /\u001b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: see above
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

/** A text without what a terminal would obey. */
export function withoutEscapes(text: string): string {
  return text.replace(ESCAPES, "").replaceAll("\r\n", "\n").replace(CONTROLS, "");
}

/** A number of bytes that reads back as the same: `512MiB`, or `1000` where no unit fits. */
export function exactBytes(bytes: number): string {
  const units = ["GiB", "MiB", "KiB"] as const;
  const powers = [2 ** 30, 2 ** 20, 2 ** 10];
  const fits = powers.findIndex((power) => bytes >= power && bytes % power === 0);
  return fits < 0 ? String(bytes) : `${bytes / (powers[fits] ?? 1)}${units[fits]}`;
}

/** A limit in bytes that may be given either way. */
export function spellSize(size: number | string | undefined): string {
  return typeof size === "number" ? spellBytes(size) : (size ?? "–");
}

/** `1 file`, `3 files`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** A duration that is asked for in whole seconds; a dash for none. */
export function spellLimit(seconds: number | null | undefined): string {
  return seconds == null ? "none" : spell(seconds);
}
