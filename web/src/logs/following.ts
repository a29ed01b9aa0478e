import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { LogQuery, Pattern } from "./query";
import { Search } from "./search";
import { LogStore } from "./store";

const still = () => () => undefined;
const never = () => 0;

/** The log as it is asked for; where it is asked for otherwise, one goes on where one was. */
export function useLog(execution: string, query: LogQuery): LogStore {
  const store = useMemo(() => new LogStore(execution, query), [execution, query]);
  const before = useRef<LogStore | null>(null);
  useEffect(() => {
    const { current } = before;
    if (current?.execution === store.execution && current !== store && !current.following)
      void store.goTo(current.seen.first, "start");
    before.current = store;
    store.start();
    return () => store.stop();
  }, [store]);
  useSyncExternalStore(store.subscribe, store.getVersion);
  return store;
}

/** The search for a pattern, which goes to the nearest match at once; null without one. */
export function useSearch(store: LogStore, pattern: Pattern | null): Search | null {
  const [search, setSearch] = useState<Search | null>(null);
  const place = useRef<number | null>(null);
  useEffect(() => {
    if (!pattern) return;
    const made = new Search(store.execution, store.query, pattern, store.newest);
    setSearch(made);
    made.start();
    // Of a log that is shown otherwise nothing is there yet.
    const from = store.rows.length > 0 ? store.seen.first : (place.current ?? 1);
    void made.near(from).then((seq) => (seq && !made.isStopped ? store.goTo(seq) : undefined));
    return () => {
      place.current = made.current ?? store.seen.first;
      made.stop();
      setSearch(null);
    };
  }, [store, pattern]);
  useSyncExternalStore(search?.subscribe ?? still, search?.getVersion ?? never);
  return search;
}
