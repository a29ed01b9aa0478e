import classes from "./StateMark.module.css";

const COLORS = {
  good: "var(--status-succeeded)",
  bad: "var(--status-failed)",
  idle: "var(--status-canceled)",
};

/** A word with a dot in its colour. */
export function StateMark({ tone, children }: { tone: keyof typeof COLORS; children: string }) {
  return (
    <span className={classes.state} style={{ "--status": COLORS[tone] }}>
      <i aria-hidden />
      {children}
    </span>
  );
}
