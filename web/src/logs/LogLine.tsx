import { type MouseEvent, memo } from "react";
import { keepingKey } from "../session/guest";
import { LineText } from "./LineText";
import classes from "./lines.module.css";
import { type LineRow, type Row, SHOWN_CHARS, sentenceOf } from "./rows";

export interface LogLineProps {
  row: Row;
  numbers: boolean;
  /** What stands beside it, such as its time. */
  time: string | null;
  expression: RegExp | null;
  isSelected: boolean;
  isMatch: boolean;
  isCurrent: boolean;
  isExpanded: boolean;
  onChoose: (seq: number, extend: boolean) => void;
  onExpand: (seq: number) => void;
}

const SAYS = { stdout: null, stderr: "stderr: ", system: "Tailrace: " } as const;

/** One row of the log: a line, or that lines are missing. */
export const LogLine = memo(function LogLine(props: LogLineProps) {
  const { row, numbers, time, isSelected, isMatch, isCurrent, onChoose } = props;
  function choose(event: MouseEvent): void {
    if (event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    onChoose(row.seq, event.shiftKey);
  }
  const stream = row.kind === "gap" ? "gap" : row.stream;
  return (
    <div
      className={classes.row}
      data-seq={row.seq}
      data-stream={stream}
      data-selected={isSelected || undefined}
      aria-current={isSelected || undefined}
      data-match={isMatch || undefined}
      data-current={isCurrent || undefined}
    >
      <span className={classes.gutter}>
        {numbers && (
          <a
            className={classes.number}
            href={`#${keepingKey(location.hash, `L${row.seq}`)}`}
            tabIndex={-1}
            onClick={choose}
            aria-label={`Line ${row.seq}`}
          >
            {row.seq}
          </a>
        )}
        {time !== null && <span className={classes.time}>{time}</span>}
      </span>
      <span className={classes.text} data-text>
        {row.kind === "gap" ? sentenceOf(row) : <Words {...props} row={row} />}
      </span>
    </div>
  );
});

function Words({ row, expression, isExpanded, onExpand }: LogLineProps & { row: LineRow }) {
  const rest = isExpanded ? 0 : row.text.length - SHOWN_CHARS;
  const says = SAYS[row.stream];
  return (
    <>
      {says && <span className={classes.said}>{says}</span>}
      {row.part && <span className={classes.part}>↪ </span>}
      <LineText
        text={rest > 0 ? row.text.slice(0, SHOWN_CHARS) : row.text}
        style={row.style}
        expression={expression}
      />
      {rest > 0 && (
        <button type="button" className={classes.rest} onClick={() => onExpand(row.seq)}>
          … {rest.toLocaleString("en")} more characters
        </button>
      )}
    </>
  );
}
