import { Skeleton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { hasEnded, type Status } from "../api/types";
import { STATUS } from "../ui/statuses";
import classes from "./Home.module.css";

/** How many are of a status, as a way to them. */
export function StatusCard({ status, count }: { status: Status; count: number | undefined }) {
  const { word, icon: Icon } = STATUS[status];
  return (
    <Link
      to="/executions"
      search={hasEnded(status) ? { status: [status], sort: "-finished" } : { status: [status] }}
      className={classes.status}
      style={{ "--status": `var(--status-${status})` }}
      data-none={count === 0 || undefined}
      data-ended={hasEnded(status) || undefined}
    >
      <span className={classes.word}>
        <Icon size={16} stroke={2} aria-hidden />
        {word}
      </span>
      <Skeleton visible={count === undefined} w="fit-content">
        <span className={classes.count}>{(count ?? 0).toLocaleString()}</span>
      </Skeleton>
    </Link>
  );
}
