import { type Stats, TERMINAL } from "../api/types";

type Step = Stats["steps"][number];
type Ended = (typeof TERMINAL)[number];

/** What came and went in all steps together. */
export interface Sums {
  submitted: number;
  ended: Record<Ended, number>;
  /** How many ended, however. */
  total: number;
  /** How old the queue was at the most, in seconds; null if nothing waited. */
  oldest: number | null;
}

/** What ended in a step, with a number for each end that there is. */
export function endedOf(step: Step): Record<Ended, number> {
  const ended = step.ended ?? {};
  return {
    succeeded: ended["succeeded"] ?? 0,
    failed: ended["failed"] ?? 0,
    timed_out: ended["timed_out"] ?? 0,
    canceled: ended["canceled"] ?? 0,
    crashed: ended["crashed"] ?? 0,
  };
}

export function sumOf(steps: readonly Step[]): Sums {
  const sums: Sums = {
    submitted: 0,
    ended: { succeeded: 0, failed: 0, timed_out: 0, canceled: 0, crashed: 0 },
    total: 0,
    oldest: null,
  };
  for (const step of steps) {
    sums.submitted += step.submitted;
    const ended = endedOf(step);
    for (const status of TERMINAL) {
      sums.ended[status] += ended[status];
      sums.total += ended[status];
    }
    const age = step.queue_age_seconds ?? null;
    if (age !== null) sums.oldest = Math.max(sums.oldest ?? 0, age);
  }
  return sums;
}

/** A part of a whole in whole percent, of which none is rounded away: `99 %` is not all, and `1 %` not none. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return "–";
  const exact = (part / whole) * 100;
  const said = part === 0 || part === whole ? exact : Math.min(99, Math.max(1, Math.round(exact)));
  return `${said} %`;
}

/** Whether nothing was ever run here, as far as can be told. */
export function isUnused(stats: Stats): boolean {
  return Object.values(stats.counts).every((n) => n === 0) && sumOf(stats.steps).submitted === 0;
}
