import type { Schedule } from "./queries";

/** What a firing does while something of the one before has not ended. */
export const OVERLAPS: Record<Schedule["overlap"], string> = {
  skip: "It is skipped",
  queue: "It waits until the last has ended",
  replace: "The last is stopped",
  allow: "It is submitted beside it",
};

/** The same, to choose from. */
export const OVERLAP_CHOICES = Object.entries(OVERLAPS).map(([value, label]) => ({ value, label }));

/** Whether this is one of them. */
export function isOverlap(value: string | null): value is Schedule["overlap"] {
  return value !== null && value in OVERLAPS;
}
