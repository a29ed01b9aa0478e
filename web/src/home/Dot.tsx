import classes from "./Home.module.css";

/** Says which colour of a chart something has; without one it only keeps the place. */
export function Dot({ color }: { color?: string | undefined }) {
  return <span className={classes.dot} style={{ "--dot": color ?? "transparent" }} aria-hidden />;
}
