import { Skeleton } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { Status } from "../api/types";
import { STATUS } from "../ui/statuses";
import classes from "./Home.module.css";

/** How many are of a status, as a way to them. */
export function StatusCard({ status, count }: { status: Status; count: number | undefined }) {
  const { word, icon: Icon } = STATUS[status];
  return (
    <Link
      to="/executions"
      search={{ status: [status] }}
      className={classes.status}
      style={{ "--status": `var(--status-${status})` }}
      data-none={count === 0 || undefined}
    >
      <span className={classes.word}>
        <Icon size={16} stroke={2} aria-hidden />
        {word}
      </span>
      {count === undefined ? (
        <Skeleton h={28} w={40} />
      ) : (
        <span className={classes.count}>{count.toLocaleString()}</span>
      )}
    </Link>
  );
}
