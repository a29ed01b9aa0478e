import { distance, inFull, useCoarseNow, useNow } from "./time";

const RECENT = 60_000;

/** How long ago something was, and on hover when. */
export function RelativeTime({ at }: { at: string | null | undefined }) {
  const moment = at ? Date.parse(at) : 0;
  const seconds = useNow(Math.abs(Date.now() - moment) < RECENT);
  const halfMinutes = useCoarseNow();
  if (!at) return <span>–</span>;
  const now = Math.max(seconds, halfMinutes);
  // What happened after the clock's last tick has not happened in the future.
  const said = distance(moment, Math.max(now, Math.min(moment, Date.now())));
  return (
    <time dateTime={at} title={inFull(at)} className="tabular">
      {said}
    </time>
  );
}
