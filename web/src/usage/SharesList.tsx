import { Progress, Text } from "@mantine/core";
import { nearnessOf, SHARES, type Shares, spellAmount } from "./shares";
import classes from "./Usage.module.css";

const COLORS = {
  calm: "var(--status-running)",
  near: "var(--status-paused)",
  full: "var(--status-failed)",
};

/** Each share as a bar: what is used of what may be. */
export function SharesList({ shares }: { shares: Shares }) {
  return (
    <ul className={classes.shares}>
      {SHARES.map(({ key, name, what, isBytes }) => {
        const { used, limit } = shares[key];
        const near = nearnessOf(used, limit);
        return (
          <li key={key}>
            <span>
              <Text component="span" fz="sm" fw={550}>
                {name}
              </Text>
              <Text component="span" fz="xs" c="dimmed" display="block">
                {what}
              </Text>
            </span>
            {near ? (
              <Progress value={near.percent} size="md" color={COLORS[near.tone]} aria-label={name} />
            ) : (
              <span className={classes.unlimited} aria-hidden />
            )}
            <Text component="span" fz="sm" className={`tabular ${classes.amount}`}>
              {spellAmount(used, isBytes)}
              <Text component="span" fz="sm" c="dimmed">
                {limit === null ? ", no limit" : ` of ${spellAmount(limit, isBytes)}`}
              </Text>
              {near?.tone === "full" && (
                <Text component="span" fz="xs" fw={600} c="var(--status-failed)" display="block">
                  Used up
                </Text>
              )}
            </Text>
          </li>
        );
      })}
    </ul>
  );
}
