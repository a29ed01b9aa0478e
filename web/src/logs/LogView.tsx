import { ActionIcon, Button, Group, Tooltip } from "@mantine/core";
import { IconMaximize, IconTextWrap } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useEffect, useMemo, useRef, useState } from "react";
import { useExecution } from "../executions/queries";
import { isGuest, keepingKey } from "../session/guest";
import { ProblemView } from "../ui/ProblemView";
import { copyLines } from "./copying";
import { EmptyLog } from "./EmptyLog";
import { type Filter, FilterButton } from "./FilterButton";
import { useLog, useSearch } from "./following";
import { useKeys } from "./keys";
import classes from "./logs.module.css";
import { expressionOf } from "./matching";
import { hashOfLines } from "./permalink";
import { usePreferences } from "./preferences";
import { type Pattern, STREAMS } from "./query";
import { SearchBar } from "./SearchBar";
import { StatusLine } from "./StatusLine";
import { useSelection } from "./selecting";
import { TakeMenu } from "./TakeMenu";
import { TimeButton } from "./TimeButton";
import { ViewButton } from "./ViewButton";
import { Viewport } from "./Viewport";

interface LogViewProps {
  executionId: string;
  /** Whether it has the page for itself. */
  isPage?: boolean;
}

/** The log of an execution, live or as it was. It fills the height that it is given. */
export function LogView({ executionId, isPage = false }: LogViewProps) {
  const root = useRef<HTMLElement>(null);
  const viewport = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const { data: execution } = useExecution(executionId);
  const [preferences, change] = usePreferences();
  const [filter, setFilter] = useState<Filter>({ streams: STREAMS, level: null });
  const [pattern, setPattern] = useState<Pattern | null>(null);
  const [only, setOnly] = useState(false);
  const [narrowed, narrow] = useState<Pattern | null>(null);
  const store = useLog(
    executionId,
    useMemo(() => ({ ...filter, pattern: narrowed }), [filter, narrowed]),
  );
  const search = useSearch(store, pattern);
  // By a pattern that is wrong nothing is narrowed.
  const understood = only && search?.isAccepted ? search.pattern : null;
  useEffect(() => {
    if (understood || !only) narrow(understood);
  }, [understood, only]);
  const expression = useMemo(() => pattern && expressionOf(pattern), [pattern]);
  const { selected, choose, step, clear } = useSelection(store);
  const firstLine = store.rows.find((row) => row.kind === "line");
  const start = Date.parse(execution?.started_at ?? "") || (firstLine?.kind === "line" ? firstLine.at : 0);

  async function go(backwards: boolean): Promise<void> {
    const seq = await search?.go(search.current ?? store.seen.first, backwards);
    if (seq) await store.goTo(seq);
  }

  function copySelected(): void {
    if (selected) void copyLines(store, selected);
  }

  function toggleFollow(): void {
    if (store.following) store.pause();
    else store.follow();
  }

  const wrap = () => change({ wrap: !preferences.wrap });
  useKeys(root, {
    "/": () => field.current?.focus(),
    n: () => void go(false),
    p: () => void go(true),
    g: () => void store.goTo(1, "start"),
    Home: () => void store.goTo(1, "start"),
    G: () => store.follow(),
    End: () => store.follow(),
    f: toggleFollow,
    w: wrap,
    j: () => step(true, false),
    k: () => step(false, false),
    J: () => step(true, true),
    K: () => step(false, true),
    ...(selected && { c: copySelected, Escape: clear }),
  });

  return (
    <section ref={root} className={classes.log} aria-label="The log" data-page={isPage || undefined}>
      <div className={classes.toolbar}>
        <SearchBar
          field={field}
          search={search}
          only={only}
          onOnly={setOnly}
          onPattern={setPattern}
          onGo={(backwards) => void go(backwards)}
          onLeave={() => viewport.current?.focus()}
        />
        <Group gap={2} wrap="nowrap" ml="auto">
          <FilterButton filter={filter} onFilter={setFilter} />
          <TimeButton store={store} start={start} />
          <Tooltip label="Wrap long lines (w)">
            <ActionIcon
              variant={preferences.wrap ? "light" : "subtle"}
              color={preferences.wrap ? undefined : "gray"}
              aria-label="Wrap long lines"
              aria-pressed={preferences.wrap}
              onClick={wrap}
            >
              <IconTextWrap size={18} />
            </ActionIcon>
          </Tooltip>
          <ViewButton preferences={preferences} onChange={change} />
          <TakeMenu store={store} />
          {!isPage && !isGuest() && (
            <Tooltip label="A page of its own">
              <ActionIcon
                renderRoot={(props) => (
                  <Link to="/executions/$id/log" params={{ id: executionId }} {...props} />
                )}
                variant="subtle"
                color="gray"
                aria-label="A page of its own"
              >
                <IconMaximize size={18} />
              </ActionIcon>
            </Tooltip>
          )}
        </Group>
      </div>
      {store.problem && (
        <div className={classes.problem}>
          <ProblemView error={store.problem} />
          <Button size="compact-sm" variant="light" onClick={() => store.retry()}>
            Try again
          </Button>
        </div>
      )}
      <Viewport
        element={viewport}
        store={store}
        search={search}
        expression={expression}
        preferences={preferences}
        start={start}
        selected={selected}
        onChoose={choose}
        empty={<EmptyLog store={store} execution={execution} />}
      />
      <StatusLine
        store={store}
        execution={execution}
        selected={selected}
        onCopy={copySelected}
        onClear={clear}
        link={() => linkTo(executionId, selected ? hashOfLines(selected) : "")}
      />
    </section>
  );
}

/** The address of lines, for others: a guest's leads to what a guest may see. */
function linkTo(execution: string, lines: string): string {
  const page = isGuest() ? `/shared/${execution}` : `/executions/${execution}/log`;
  return `${location.origin}${page}#${keepingKey(location.hash, lines)}`;
}
