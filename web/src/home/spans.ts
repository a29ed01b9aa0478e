/** Spans of time that one can look back on, in seconds, and into what steps they are cut. */
export const SPANS = {
  hour: { label: "Hour", seconds: 3600, step: 120 },
  day: { label: "Day", seconds: 86_400, step: 3600 },
  week: { label: "Week", seconds: 604_800, step: 21_600 },
} as const;

export type Span = keyof typeof SPANS;

/** A step of a span: its hour, or its day where that is not today. */
export function stepName(at: string, step: number): string {
  const moment = new Date(at);
  if (step < 21_600) return moment.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  return moment.toLocaleString(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
}
