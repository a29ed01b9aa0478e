import { useEffect, useRef, useSyncExternalStore } from "react";
import { queries } from "../api/queries";
import { applyHappenings } from "../executions/cache";
import { LISTS } from "../executions/queries";
import { sessionEnded } from "../session/login";
import { type Connection, Feed } from "./feed";
import type { Happening } from "./frames";

const handlers = new Set<(happenings: Happening[]) => void>();

const feed = new Feed({
  onHappenings(happenings) {
    applyHappenings(queries, happenings);
    for (const handle of handlers) handle(happenings);
  },
  onResync() {
    // Of a long list the first page is enough.
    void queries.resetQueries({ queryKey: LISTS });
    void queries.invalidateQueries();
  },
  onLoggedOut: sessionEnded,
});

/** Begin to follow what happens. Once per tab. */
export function goLive(): void {
  feed.start();
  feed.subscribe(() => {
    // What could not be fetched while the API was away can be now.
    if (feed.connection === "live")
      void queries.refetchQueries({ predicate: ({ state }) => state.error !== null });
  });
}

/** Connect without waiting any longer. */
export function reconnect(): void {
  feed.connectNow();
}

/** What a list waits for before it is fetched, so that nothing falls between it and the events. */
export function settled(): Promise<void> {
  return feed.settled;
}

/** How the connection for events stands. */
export function useConnection(): Connection {
  return useSyncExternalStore(feed.subscribe, () => feed.connection);
}

/** Begin to gather what happens; what is returned ends that, and has all of it. */
export function gatherHappenings(): () => Happening[] {
  const gathered: Happening[] = [];
  const gather = (happenings: Happening[]) => void gathered.push(...happenings);
  handlers.add(gather);
  return () => {
    handlers.delete(gather);
    return gathered;
  };
}

/** Hear of what happens while a component is shown, several at a time; executions in the cache are kept without this. */
export function useHappenings(handle: (happenings: Happening[]) => void): void {
  const latest = useRef(handle);
  useEffect(() => {
    latest.current = handle;
  });
  useEffect(() => {
    const call = (happenings: Happening[]) => latest.current(happenings);
    handlers.add(call);
    return () => void handlers.delete(call);
  }, []);
}
