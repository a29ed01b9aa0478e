import { distance, inFull, useNowNear } from "./time";

/** How long ago something was, and on hover when. */
export function RelativeTime({ at }: { at: string | null | undefined }) {
  return at ? <Distance at={at} /> : "–";
}

function Distance({ at }: { at: string }) {
  const moment = Date.parse(at);
  const now = useNowNear(moment);
  // What happened after the clock's last tick has not happened in the future.
  const said = distance(moment, Math.max(now, Math.min(moment, Date.now())));
  return (
    <time dateTime={at} title={inFull(at)} className="tabular">
      {said}
    </time>
  );
}
