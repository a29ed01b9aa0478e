import { Tooltip } from "@mantine/core";
import type { Execution, Status } from "../api/types";
import { CAUSE, STATUS, WAITING } from "./statuses";
import classes from "./ui.module.css";

interface StatusBadgeProps {
  status: Status;
  /** Whose it is: then the tooltip says why. */
  execution?: Pick<Execution, "cause" | "message" | "waiting_on" | "phase">;
}

/** A status in its colour, with its sign; on hover or focus, why. */
export function StatusBadge({ status, execution }: StatusBadgeProps) {
  const { word, icon: Icon } = STATUS[status];
  const badge = (
    <span className={classes.status} style={{ "--status": `var(--status-${status})` }} data-status={status}>
      <Icon size={14} stroke={2.2} aria-hidden />
      {word}
    </span>
  );
  const why = execution && reasonOf(status, execution);
  if (!why) return badge;
  return (
    <Tooltip label={why} multiline maw={360}>
      {badge}
    </Tooltip>
  );
}

/** Why an execution stands as it does, in one sentence; null where there is nothing to say. */
export function reasonOf(
  status: Status,
  { cause, message, waiting_on, phase }: Pick<Execution, "cause" | "message" | "waiting_on" | "phase">,
): string | null {
  if (message) return message;
  if (status === "queued" && waiting_on) return WAITING[waiting_on];
  if (cause) return CAUSE[cause];
  return phase;
}
