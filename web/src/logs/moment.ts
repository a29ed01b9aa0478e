/** How times stand beside lines. */
export type Times = "off" | "local" | "relative";

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function three(value: number): string {
  return String(value).padStart(3, "0");
}

/** `14:03:07.250`, in the reader's zone. */
export function localTime(at: number): string {
  const date = new Date(at);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${three(date.getMilliseconds())}`;
}

/** `+0:07.250`, `+2:03:07.250`; before the start `−0:00.100`. */
export function relativeTime(at: number, start: number): string {
  const size = Math.abs(at - start);
  const seconds = Math.floor(size / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const clock = hours > 0 ? `${hours}:${two(minutes)}` : String(minutes);
  return `${at < start ? "−" : "+"}${clock}:${two(seconds % 60)}.${three(size % 1000)}`;
}

const CLOCK = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?$/;
const FROM_START = /^\+\s*(?:(\d+):)?(\d{1,3}):(\d{2})(?:\.(\d{1,3}))?$/;
const SPANS_FROM_START = /^\+\s*((?:\d+(?:\.\d+)?(?:ms|[smhd])\s*)+)$/;
const SPAN = /(\d+(?:\.\d+)?)(ms|[smhd])/g;
const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DAY = 86_400_000;

/** What `since` of the API is to be for what somebody has typed: a time of the day is the first such after the start,
 * `+90s` and `+1:30` count from it; all else is for the API to read. */
export function sinceOf(typed: string, start: number): string {
  const said = typed.trim();
  const clock = CLOCK.exec(said);
  if (clock) return new Date(firstAfter(clock, start)).toISOString();
  const colons = FROM_START.exec(said);
  if (colons) {
    const [, hours = "0", minutes = "0", seconds = "0", fraction = "0"] = colons;
    const whole = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
    return new Date(start + whole * 1000 + Number(fraction.padEnd(3, "0"))).toISOString();
  }
  const spans = SPANS_FROM_START.exec(said)?.[1];
  if (!spans) return said;
  let sum = 0;
  for (const [, size, unit = "s"] of spans.matchAll(SPAN)) sum += Number(size) * (UNITS[unit] ?? 0);
  return new Date(start + sum).toISOString();
}

function firstAfter(
  [, hours, minutes, seconds = "0", fraction = "0"]: RegExpExecArray,
  start: number,
): number {
  const date = new Date(start);
  date.setHours(Number(hours), Number(minutes), Number(seconds), Number(fraction.padEnd(3, "0")));
  // To a second: whoever types what stands beside the first line means that line.
  return date.getTime() < start - 1000 ? date.getTime() + DAY : date.getTime();
}
