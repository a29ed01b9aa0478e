import { STATUS } from "../ui/statuses";
import classes from "./Batches.module.css";
import type { Batch } from "./queries";
import { sharesOf } from "./shares";

/** How the children of a batch stand, as one bar. */
export function BatchBar({ progress, tall = false }: { progress: Batch["progress"]; tall?: boolean }) {
  const shares = sharesOf(progress.by_status, progress.total);
  const said = shares.map(({ status, count }) => `${count} ${STATUS[status].word.toLowerCase()}`).join(", ");
  return (
    <div
      className={classes.bar}
      data-tall={tall}
      role="img"
      aria-label={`Of ${progress.total}: ${said}`}
      title={said}
    >
      {shares.map(({ status, percent }) => (
        <span
          key={status}
          data-status={status}
          style={{ width: `${percent}%`, "--status": `var(--status-${status})` }}
        />
      ))}
    </div>
  );
}
