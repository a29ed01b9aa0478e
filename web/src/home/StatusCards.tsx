import { ACTIVE, type Stats, type Status, TERMINAL } from "../api/types";
import classes from "./Home.module.css";
import { StatusCard } from "./StatusCard";

/** How many there are of each status: what is under way, and below it what has ended. */
export function StatusCards({ stats }: { stats: Stats | undefined }) {
  const cards = (statuses: readonly Status[]) =>
    statuses.map((status) => <StatusCard key={status} status={status} count={stats?.counts[status]} />);
  return (
    <nav className={classes.cards} aria-label="Executions by status">
      <div className={classes.active}>{cards(ACTIVE)}</div>
      <div className={classes.ended}>{cards(TERMINAL)}</div>
    </nav>
  );
}
