/** What is drawn of the queue over time. */
export const QUEUE_SERIES = [
  { name: "age", label: "Oldest in the queue", color: "var(--status-stopping)" },
  { name: "wait", label: "Mean wait for a worker", color: "var(--status-running)" },
] as const;

/** The moment since when the oldest waits: so many seconds before the answer came. */
export function sinceWhen(seconds: number, at: number): string {
  return new Date(at - seconds * 1000).toISOString();
}
