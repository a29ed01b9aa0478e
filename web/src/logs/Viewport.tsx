import { Button, Loader } from "@mantine/core";
import { IconArrowDown } from "@tabler/icons-react";
import { type CSSProperties, type ReactNode, type RefObject, useCallback, useState } from "react";
import { LogLine } from "./LogLine";
import classes from "./lines.module.css";
import { localTime, relativeTime, type Times } from "./moment";
import { includes, type Lines } from "./permalink";
import type { Preferences } from "./preferences";
import { type Row, SHOWN_CHARS } from "./rows";
import { useScroll } from "./scrolling";
import type { Search } from "./search";
import type { LogStore } from "./store";
import { Track } from "./Track";

interface ViewportProps {
  element: RefObject<HTMLDivElement | null>;
  store: LogStore;
  search: Search | null;
  expression: RegExp | null;
  preferences: Preferences;
  /** When the execution started, unix milliseconds: what times are relative to. */
  start: number;
  selected: Lines | null;
  onChoose: (seq: number, extend: boolean) => void;
  /** In place of rows, if there are none. */
  empty: ReactNode;
}

/** The rows that are in sight, of a log as long as it likes. */
export function Viewport(props: ViewportProps) {
  const { element, store, search, expression, preferences, start, selected, onChoose, empty } = props;
  const { wrap, numbers, times } = preferences;
  const { seen, onScroll, onTurn } = useScroll(element, store, wrap);
  const [expanded, setExpanded] = useState<ReadonlySet<number>>(new Set());
  const expand = useCallback((seq: number) => setExpanded((before) => new Set(before).add(seq)), []);
  const rows = store.rows.slice(seen.first, seen.last + 1);

  function timeOf(row: Row): string | null {
    if (times === "off") return null;
    if (row.kind === "gap") return "";
    return times === "local" ? localTime(row.at) : relativeTime(row.at, start);
  }

  const style = {
    "--log-digits": `${String(store.newest).length}ch`,
    "--log-times": `${widthOf(times, store.rows.at(-1), start)}ch`,
    "--log-widest": `${Math.min(store.widest, SHOWN_CHARS) + 2}ch`,
  } as CSSProperties;
  return (
    <div
      className={classes.frame}
      style={style}
      data-wrap={wrap || undefined}
      data-numbers={numbers || undefined}
    >
      <div className={classes.clip}>
        <div
          ref={element}
          className={classes.viewport}
          role="log"
          aria-label="Log"
          aria-live={store.following ? "polite" : "off"}
          aria-busy={store.loading !== null}
          id="log"
          tabIndex={0}
          onScroll={onScroll}
          onWheel={(event) => onTurn(event.deltaY < 0)}
          onTouchMove={() => onTurn(true)}
          // What is marked with the mouse is not to run away.
          onPointerMove={(event) => event.buttons === 1 && store.pause()}
        >
          <span className={classes.probe} data-probe aria-hidden />
          <div className={classes.content} style={{ height: seen.height }}>
            <div className={classes.rows} style={{ transform: `translateY(${seen.top}px)` }}>
              {rows.map((row) => (
                <LogLine
                  key={row.seq}
                  row={row}
                  numbers={numbers}
                  time={timeOf(row)}
                  expression={expression}
                  isSelected={selected !== null && includes(selected, row)}
                  isMatch={search?.has(row.seq) ?? false}
                  isCurrent={search?.current === row.seq}
                  isExpanded={expanded.has(row.seq)}
                  onChoose={onChoose}
                  onExpand={expand}
                />
              ))}
            </div>
          </div>
          {store.rows.length === 0 && <div className={classes.empty}>{empty}</div>}
        </div>
      </div>
      <Track store={store} search={search} />
      {store.loading && store.rows.length > 0 && (
        <div className={classes.loading} role="status">
          <Loader size={14} />{" "}
          {store.loading === "earlier"
            ? "Earlier lines"
            : store.loading === "later"
              ? "Later lines"
              : "Reading"}
          …
        </div>
      )}
      {!store.following && store.rows.length > 0 && <ToEnd store={store} />}
    </div>
  );
}

/** Characters that times take. */
function widthOf(times: Times, last: Row | undefined, start: number): number {
  if (times === "off") return 0;
  if (times === "local" || last?.kind !== "line") return 12;
  return relativeTime(last.at, start).length;
}

function ToEnd({ store }: { store: LogStore }) {
  const { fresh } = store;
  const count = fresh > 0 ? ` · ${fresh.toLocaleString("en")} new ${fresh === 1 ? "line" : "lines"}` : "";
  return (
    <Button
      className={classes.toEnd}
      size="compact-sm"
      radius="xl"
      leftSection={<IconArrowDown size={14} aria-hidden />}
      onClick={() => store.follow()}
    >
      Jump to the end{count}
    </Button>
  );
}
