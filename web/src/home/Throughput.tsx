import { lazy } from "react";
import { type Stats, TERMINAL } from "../api/types";
import type { ListSearch } from "../executions/search";
import { TextLink } from "../ui/IdLink";
import { STATUS } from "../ui/statuses";
import { ChartFrame } from "./ChartFrame";
import { Dot } from "./Dot";
import classes from "./Home.module.css";
import { sumOf } from "./sums";

const ThroughputChart = lazy(() => import("./ThroughputChart"));

interface ThroughputProps {
  stats: Stats | undefined;
  /** What the lists are narrowed to that the numbers lead to. */
  within?: ListSearch;
}

/** What ended over time; below it how many of each, as a way to them. */
export function Throughput({ stats, within }: ThroughputProps) {
  const sums = stats && sumOf(stats.steps);
  return (
    <>
      <ChartFrame empty={sums?.total === 0 ? "Nothing ended in this time." : undefined}>
        {stats && <ThroughputChart stats={stats} />}
      </ChartFrame>
      <ul className={classes.legend}>
        {TERMINAL.map((status) => (
          <li key={status}>
            <Dot color={`var(--status-${status})`} />
            <TextLink
              to="/executions"
              search={{ ...within, status: [status], finished_after: stats?.from, sort: "-finished" }}
              c="inherit"
            >
              {STATUS[status].word}
            </TextLink>
            <span className={classes.amount}>{sums ? sums.ended[status].toLocaleString() : "–"}</span>
          </li>
        ))}
      </ul>
    </>
  );
}
