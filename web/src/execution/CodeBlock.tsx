import classes from "./Execution.module.css";

/** A text as it is, with a width of its own. */
export function CodeBlock({ text, label }: { text: string; label: string }) {
  return (
    // It scrolls, so keys have to reach it.
    <section className={classes.code} tabIndex={0} aria-label={label}>
      <pre>{text}</pre>
    </section>
  );
}
