import classes from "./ui.module.css";

/** Labels as `key=value`. */
export function Labels({ labels }: { labels: Record<string, string> }) {
  const pairs = Object.entries(labels);
  if (pairs.length === 0) return null;
  return (
    <span className={classes.labels}>
      {pairs.map(([key, value]) => {
        const said = value ? `${key}=${value}` : key;
        return (
          <span key={key} className={classes.label} title={said}>
            {said}
          </span>
        );
      })}
    </span>
  );
}
