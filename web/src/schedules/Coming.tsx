import type { Schemas } from "../api/types";
import { distance, useCoarseNow } from "../ui/time";
import classes from "./Schedules.module.css";

/** The next firings, by the clock of the rule's own time zone. */
export function Coming({ firings }: { firings: readonly Schemas["Firing"][] }) {
  const now = useCoarseNow();
  return (
    <ol className={classes.coming} aria-label="Next firings">
      {firings.map(({ at, local }) => (
        <li key={at}>
          <time dateTime={at} className="tabular">
            {byItsClock(local)}
          </time>
          <span className="tabular">{distance(Date.parse(at), now)}</span>
        </li>
      ))}
    </ol>
  );
}

/** A local time with its offset, as it stands there on the wall: `Mon 2026-03-30 06:30`. */
function byItsClock(local: string): string {
  const [date = "", clock = ""] = local.split("T");
  const weekday = new Date(`${date}T12:00:00Z`).toLocaleDateString(undefined, {
    weekday: "short",
    timeZone: "UTC",
  });
  return `${weekday} ${date} ${clock.slice(0, clock.slice(6, 8) === "00" ? 5 : 8)}`;
}
