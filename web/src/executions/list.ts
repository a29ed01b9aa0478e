import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef } from "react";
import { api, ask } from "../api/client";
import { asProblem } from "../api/problem";
import { type Execution, hasEnded } from "../api/types";
import type { Happening } from "../live/frames";
import { gatherHappenings, settled, useHappenings } from "../live/live";
import { gathered, listKey, type Pages, pagesAfter } from "./cache";
import { headOrder, mergedHead, withRecords } from "./merging";
import { archivedOf, belongs, type ListSearch, type Shelf } from "./search";

const PAGE = 200;
/** What is new stands at the head of a list; only what comes back to it may stand further down. */
const HEAD = 50;
/** How often at most a list that something happened to is brought up to date. */
const EVERY = 700;
/** So many records are fetched one by one; of more, the first page is what people look at. */
const ONE_BY_ONE = 12;

/** The executions of a list, page after page, kept as they are by what happens. */
export function useExecutionList(shelf: Shelf, search: ListSearch) {
  const client = useQueryClient();
  const key = useMemo(() => listKey(shelf, search), [shelf, search]);
  // What is fetched takes the place of what is there, and may be older than what happened meanwhile.
  const retell = useCallback(
    (happenings: readonly Happening[]) => {
      const stays = (record: Execution) => belongs(record, search, shelf);
      client.setQueryData<Pages>(key, (data) => data && pagesAfter(data, gathered(happenings), stays));
    },
    [client, key, search, shelf],
  );
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: async ({ pageParam, signal }) => {
      await settled();
      const meanwhile = gatherHappenings();
      try {
        return await fetchPage(shelf, search, { cursor: pageParam, signal });
      } finally {
        // Once the page is in the list.
        setTimeout(() => retell(meanwhile()));
      }
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    // Events keep it true; what they do not tell, `keep` fetches.
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: (before) => before,
  });

  const keep = useCallback(
    async (stale: Stale) => {
      const meanwhile = gatherHappenings();
      try {
        const order = headOrder(search);
        if (stale.head > 0 && order) {
          const head = await fetchPage(shelf, search, { limit: stale.head });
          client.setQueryData<Pages>(key, (data) => data && mergedHead(data, head, order));
        }
        const known = new Set(
          client.getQueryData<Pages>(key)?.pages.flatMap(({ items }) => items.map(({ id }) => id)),
        );
        const shown = [...stale.ids].filter((id) => known.has(id)).slice(-ONE_BY_ONE);
        const records = new Map(
          await Promise.all(shown.map(async (id) => [id, await fetchOne(id)] as const)),
        );
        for (const [id, record] of records) {
          if (record && !belongs(record, search, shelf)) records.set(id, null);
        }
        client.setQueryData<Pages>(key, (data) => data && withRecords(data, records));
      } finally {
        retell(meanwhile());
      }
    },
    [client, key, search, shelf, retell],
  );
  useKeeping(keep);

  const rows = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  return { ...query, rows };
}

/** What is to be fetched: so many of the head, and these. */
interface Stale {
  head: number;
  ids: Set<string>;
}

const nothing = (): Stale => ({ head: 0, ids: new Set() });

/**
 * Calls `keep` soon after something happened that frames do not tell all of, and once at the start. Never again before
 * it has ended: answers that overtake each other would bring back what is old.
 */
function useKeeping(keep: (stale: Stale) => Promise<void>): void {
  const stale = useRef(nothing());
  const timer = useRef(0);
  const latest = useRef(keep);
  const isKeeping = useRef(false);
  const soon = useCallback(() => {
    timer.current ||= window.setTimeout(() => {
      timer.current = 0;
      if (isKeeping.current) return soon();
      isKeeping.current = true;
      const now = stale.current;
      stale.current = nothing();
      // What cannot be fetched now is fetched when the next thing happens, or the connection is back.
      const done = latest.current(now).catch(() => undefined);
      void done.then(() => {
        isKeeping.current = false;
      });
    }, EVERY);
  }, []);
  useEffect(() => {
    latest.current = keep;
    // What was fetched before this page was left for another may be old by now.
    stale.current.head = PAGE;
    soon();
    return () => {
      clearTimeout(timer.current);
      timer.current = 0;
    };
  }, [keep, soon]);
  useHappenings((happenings: Happening[]) => {
    const told = happenings.filter((each) => each.type === "execution");
    if (told.length === 0) return;
    const { head, ids } = stale.current;
    // What was done to one without a move is not told in full, nor are the numbers of its end.
    for (const each of told) if (each.from === each.status || hasEnded(each.status)) ids.add(each.id);
    stale.current.head = Math.max(head, told.some((each) => each.from === each.status) ? PAGE : HEAD);
    soon();
  });
}

interface Part {
  cursor?: string | null;
  limit?: number;
  signal?: AbortSignal;
}

function fetchPage(shelf: Shelf, search: ListSearch, { cursor, limit = PAGE, signal }: Part) {
  const query = { ...search, archived: archivedOf(shelf), limit, ...(cursor && { cursor }) };
  return ask(api.GET("/v1/executions", { params: { query }, ...(signal && { signal }) }));
}

async function fetchOne(id: string): Promise<Execution | null> {
  try {
    return await ask(api.GET("/v1/executions/{id}", { params: { path: { id } } }));
  } catch (error) {
    if (asProblem(error).status === 404) return null;
    throw error;
  }
}
