/** Spans of time that one can look back on, in seconds, and into what steps they are cut. */
export const SPANS = {
  hour: { label: "Hour", seconds: 3600, step: 120 },
  day: { label: "Day", seconds: 86_400, step: 3600 },
  week: { label: "Week", seconds: 604_800, step: 21_600 },
  month: { label: "Month", seconds: 2_592_000, step: 86_400 },
} as const;

export type Span = keyof typeof SPANS;

export const DEFAULT_SPAN: Span = "day";

export function isSpan(value: unknown): value is Span {
  return typeof value === "string" && Object.hasOwn(SPANS, value);
}

const QUARTER = 21_600;
const DAY = 86_400;
const HOUR_OF = { hour: "2-digit", minute: "2-digit" } as const;
const DAY_OF = { day: "numeric", month: "short" } as const;

/** A step of a span where there is little room: its hour, or its day where steps are long. */
export function stepName(at: string, step: number): string {
  const moment = new Date(at);
  if (step < QUARTER) return moment.toLocaleTimeString(undefined, HOUR_OF);
  return moment.toLocaleDateString(undefined, step < DAY ? { weekday: "short", ...DAY_OF } : DAY_OF);
}

/** A step in full, from when until when; one that is not over has no end yet. */
export function stepRange(at: string, step: number, now: number): string {
  const begin = new Date(at);
  const end = new Date(begin.getTime() + step * 1000);
  const day = begin.toDateString() === new Date(now).toDateString() ? {} : DAY_OF;
  const said = begin.toLocaleString(undefined, { ...day, ...HOUR_OF });
  if (end.getTime() > now) return `${said} – now`;
  const until = end.toDateString() === begin.toDateString() ? HOUR_OF : { ...DAY_OF, ...HOUR_OF };
  return `${said} – ${end.toLocaleString(undefined, until)}`;
}
