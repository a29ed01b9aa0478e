import { spell, useNow } from "./time";

interface DurationProps {
  /** Seconds that it took; null while it goes on, or never began. */
  seconds?: number | null;
  /** Since when it goes on: then it ticks. */
  since?: string | null;
}

/** How long something took, or takes so far. */
export function Duration({ seconds, since }: DurationProps) {
  if (seconds != null) return <span className="tabular">{spell(seconds)}</span>;
  return since == null ? <span>–</span> : <Ticking since={since} />;
}

function Ticking({ since }: { since: string }) {
  const so = Math.max(0, Math.floor((useNow() - Date.parse(since)) / 1000));
  return <span className="tabular">{spell(so)}</span>;
}
