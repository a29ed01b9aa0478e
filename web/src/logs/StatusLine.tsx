import { ActionIcon, Button, CloseButton, Tooltip } from "@mantine/core";
import { IconAlertTriangle, IconLink } from "@tabler/icons-react";
import type { Execution } from "../api/types";
import { spellBytes } from "../ui/Bytes";
import { STATUS } from "../ui/statuses";
import { copyText } from "./clipboard";
import classes from "./logs.module.css";
import type { Lines } from "./permalink";
import type { LogStore } from "./store";
import type { Connection } from "./tail";

const SAYS: Record<Connection, { word: string; sentence: string }> = {
  connecting: { word: "Connecting", sentence: "Asking the API for what comes next." },
  live: { word: "Live", sentence: "Lines are shown as they are written." },
  waiting: {
    word: "Reconnecting",
    sentence: "The connection broke off. It goes on at the exact line when the API is back; nothing is lost.",
  },
  ended: { word: "Complete", sentence: "It has ended: this is the whole log." },
  refused: { word: "Not connected", sentence: "The API does not show this log." },
};

interface StatusLineProps {
  store: LogStore;
  execution: Execution | undefined;
  selected: Lines | null;
  onCopy: () => void;
  onClear: () => void;
  /** The address of what is selected. */
  link: () => string;
}

/** How the connection stands, how long the log is, and what can be done with lines that are selected. */
export function StatusLine({ store, execution, selected, onCopy, onClear, link }: StatusLineProps) {
  const { connection, newest, seen, following, end, status } = store;
  const { word, sentence } = SAYS[connection];
  const bytes = end?.bytes ?? (execution?.log.bytes || null);
  return (
    <div className={classes.status}>
      <Tooltip label={sentence} multiline maw={280}>
        <span className={classes.connection} role="status" aria-label="Connection of the log">
          <span className={classes.dot} data-connection={connection} />
          {word}
        </span>
      </Tooltip>
      <span className={selected ? `tabular ${classes.wide}` : "tabular"}>
        {!following && <span className={classes.wide}>{seen.first.toLocaleString("en")} of </span>}
        {newest.toLocaleString("en")} {newest === 1 ? "line" : "lines"}
      </span>
      {bytes !== null && <span className={`tabular ${classes.wide}`}>{spellBytes(bytes)}</span>}
      {status && !end && <span className={classes.wide}>{STATUS[status].word}</span>}
      <Doubts execution={execution} />
      {selected && (
        <span className={classes.selection}>
          <span className="tabular" role="status" aria-label="Chosen lines">
            {selected.from === selected.to
              ? `Line ${selected.from}`
              : `Lines ${selected.from}–${selected.to}`}
          </span>
          <Button size="compact-xs" variant="light" onClick={onCopy}>
            Copy
          </Button>
          <Tooltip label="Copy a link to it">
            <ActionIcon
              size="sm"
              variant="subtle"
              aria-label="Copy a link to it"
              onClick={() => copyText(link(), "Link copied")}
            >
              <IconLink size={14} />
            </ActionIcon>
          </Tooltip>
          <CloseButton size="sm" aria-label="Select nothing" onClick={onClear} />
        </span>
      )}
    </div>
  );
}

/** That the log is not all that was written. */
function Doubts({ execution }: { execution: Execution | undefined }) {
  const log = execution?.log;
  const says = log?.truncated
    ? "It has written more than its limit: lines in the middle are missing."
    : log?.complete === false
      ? "The container engine was away for a while: lines may be missing."
      : null;
  if (!says) return null;
  return (
    <Tooltip label={says} multiline maw={280}>
      <span className={classes.doubt}>
        <IconAlertTriangle size={14} aria-hidden /> Not all of it
      </span>
    </Tooltip>
  );
}
