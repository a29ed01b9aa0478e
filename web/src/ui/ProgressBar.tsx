import type { Execution } from "../api/types";
import classes from "./ui.module.css";

interface ProgressBarProps {
  progress: Execution["progress"];
  /** Also say the phase, beside the percents. */
  withPhase?: boolean;
}

/** How far a program has said that it is. */
export function ProgressBar({ progress, withPhase = false }: ProgressBarProps) {
  if (!progress) return null;
  const { percent, phase } = progress;
  return (
    <span className={classes.progress}>
      {percent != null && (
        <>
          <span
            role="progressbar"
            aria-label={phase ?? "Progress"}
            aria-valuenow={percent}
            aria-valuemin={0}
            aria-valuemax={100}
            className={classes.track}
          >
            <span className={classes.done} style={{ width: `${percent}%` }} />
          </span>
          <span className={`${classes.percent} tabular`}>{Math.round(percent)} %</span>
        </>
      )}
      {withPhase && phase && <span className={classes.phase}>{phase}</span>}
    </span>
  );
}
