import { type ReactNode, useState } from "react";
import { useForm } from "./form";
import classes from "./Submit.module.css";

interface SectionProps {
  title: string;
  /** The fields in it: when one of them is wrong it opens, and says how many are. */
  paths: readonly string[];
  /** What is set in it, for when it is closed. */
  summary?: string | null;
  opened?: boolean;
  children: ReactNode;
}

/** A part of the form that can be folded. */
export function Section({ title, paths, summary, opened = false, children }: SectionProps) {
  const { errors } = useForm();
  const [isOpen, setOpen] = useState(opened);
  const wrong = errors.count(paths);
  const isShown = isOpen || wrong > 0;
  return (
    <details
      className={classes.section}
      open={isShown}
      onToggle={(event) => setOpen(event.currentTarget.open)}
    >
      <summary className={classes.summary}>
        <h2 className={classes.title}>{title}</h2>
        {wrong > 0 ? (
          <span className={classes.wrong}>{wrong === 1 ? "1 to mend" : `${wrong} to mend`}</span>
        ) : (
          !isShown && summary && <span className={classes.set}>{summary}</span>
        )}
      </summary>
      {isShown && <div className={classes.content}>{children}</div>}
    </details>
  );
}
