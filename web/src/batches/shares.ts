import { STATUSES, type Status } from "../api/types";

export interface Share {
  status: Status;
  count: number;
  /** Of all, 0 to 100. */
  percent: number;
}

/** In the order of a course: what has ended well first, what waits last. */
const ORDER: readonly Status[] = [
  ...(["succeeded", "failed", "timed_out", "crashed", "canceled"] as const),
  ...(["stopping", "running", "paused", "preparing", "queued"] as const),
];

/** How many children there are of each status, without those of which there are none. */
export function sharesOf(byStatus: { [status: string]: number }, total: number): Share[] {
  const known = ORDER.filter((status) => STATUSES.includes(status));
  return known.flatMap((status) => {
    const count = byStatus[status] ?? 0;
    return count > 0 ? [{ status, count, percent: (100 * count) / Math.max(total, 1) }] : [];
  });
}
