const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;
/** Lengths of time that one counts in. */
const LENGTHS = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 5, 10, 30, 100, 300, 1000].map((n) => n * DAY),
];
const AT_MOST = 4;

/** Where an axis of durations has its lines, from 0 to the first beyond the longest. */
export function durationTicks(longest: number): number[] {
  const length = LENGTHS.find((each) => longest <= each * AT_MOST) ?? Math.ceil(longest / AT_MOST);
  const last = Math.max(1, Math.ceil(longest / length));
  return Array.from({ length: last + 1 }, (_, n) => n * length);
}

/** A length of time where there is little room. */
export function briefly(seconds: number): string {
  const [unit, word] =
    seconds < MINUTE ? [1, "s"] : seconds < HOUR ? [MINUTE, "min"] : seconds < DAY ? [HOUR, "h"] : [DAY, "d"];
  return `${Number((seconds / unit).toPrecision(2))} ${word}`;
}
