import { useQuery } from "@tanstack/react-query";
import { STATUSES, type Status } from "../api/types";
import { countsQuery } from "../stats/queries";
import { STATUS } from "../ui/statuses";
import classes from "./List.module.css";
import type { Shelf } from "./search";

interface StatusFilterProps {
  shelf: Shelf;
  chosen: readonly Status[];
  onChange: (chosen: Status[]) => void;
}

/** Each status with how many there are, to choose from. */
export function StatusFilter({ shelf, chosen, onChange }: StatusFilterProps) {
  const { data } = useQuery(countsQuery(shelf));
  const counts = new Map(data?.items.map(({ status, n }) => [status, n]));
  return (
    <fieldset className={classes.statuses} aria-label="Status">
      {STATUSES.filter((each) => isUsual(each) || counts.get(each) || chosen.includes(each)).map((status) => {
        const { word, icon: Icon } = STATUS[status];
        const isChosen = chosen.includes(status);
        const count = counts.get(status) ?? 0;
        return (
          <button
            key={status}
            type="button"
            className={classes.status}
            style={{ "--status": `var(--status-${status})` }}
            aria-pressed={isChosen}
            data-none={count === 0 || undefined}
            onClick={() =>
              onChange(isChosen ? chosen.filter((each) => each !== status) : [...chosen, status])
            }
          >
            <Icon size={14} stroke={2} aria-hidden />
            {word}
            <span className="tabular">{count.toLocaleString()}</span>
          </button>
        );
      })}
    </fieldset>
  );
}

/** What lasts for moments, or is rare, has a place only while there is any. */
function isUsual(status: Status): boolean {
  return !["preparing", "paused", "stopping", "crashed"].includes(status);
}
