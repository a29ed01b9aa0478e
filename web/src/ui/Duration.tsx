import { spell, useNow } from "./time";

interface DurationProps {
  /** Seconds that it took; null while it goes on, or never began. */
  seconds?: number | null;
  /** Since when it goes on: then it ticks. */
  since?: string | null;
}

/** How long something took, or takes so far. */
export function Duration({ seconds, since }: DurationProps) {
  const ticks = seconds == null && since != null;
  const now = useNow(ticks);
  if (seconds != null) return <span className="tabular">{spell(seconds)}</span>;
  if (since == null) return <span>–</span>;
  const so = Math.max(0, Math.floor((now - Date.parse(since)) / 1000));
  return <span className="tabular">{spell(so)}</span>;
}
