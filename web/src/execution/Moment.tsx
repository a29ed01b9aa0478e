import { Tooltip } from "@mantine/core";
import { distance, inFull, inShort, useCoarseNow } from "../ui/time";

/** When something was: the hour, or the day; on hover or focus how long ago, and in full. */
export function Moment({ at }: { at: string | null }) {
  const now = useCoarseNow();
  if (at === null) return <span>–</span>;
  const since = distance(Date.parse(at), Math.max(now, Date.now()));
  return (
    <Tooltip label={`${since}: ${inFull(at)}`}>
      <time dateTime={at} className="tabular">
        {inShort(at, now)}
      </time>
    </Tooltip>
  );
}
