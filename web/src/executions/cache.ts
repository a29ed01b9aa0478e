import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import type { Execution, Schemas } from "../api/types";
import type { Happening } from "../live/frames";
import { patched, progressed } from "./patching";
import { executionKey, LISTS } from "./queries";
import { belongs, type ListSearch, type Shelf } from "./search";

export type Pages = InfiniteData<Schemas["ExecutionList"], string | null>;
export const listKey = (shelf: Shelf, search: ListSearch) => [...LISTS, shelf, search] as const;

/** Keep every record that was fetched as it is by now: what frames tell at once, the rest by fetching those shown. */
export function applyHappenings(client: QueryClient, happenings: readonly Happening[]): void {
  const byExecution = gathered(happenings);
  for (const [id, own] of byExecution) {
    client.setQueryData<Execution>(executionKey(id), (record) => record && afterAll(record, own));
    if (own.some((each) => each.type !== "progress"))
      void client.invalidateQueries({ queryKey: executionKey(id) });
  }
  for (const { queryKey } of client.getQueryCache().findAll({ queryKey: LISTS })) {
    const [, , shelf, search] = queryKey as unknown as ReturnType<typeof listKey>;
    const stays = (record: Execution) => belongs(record, search, shelf);
    client.setQueryData<Pages>(queryKey, (pages) => pages && pagesAfter(pages, byExecution, stays));
  }
}

/** What happened to each. */
export function gathered(happenings: readonly Happening[]): Map<string, Happening[]> {
  const byExecution = new Map<string, Happening[]>();
  for (const each of happenings) {
    if (each.type === "batch") continue;
    const own = byExecution.get(each.id);
    if (own) own.push(each);
    else byExecution.set(each.id, [each]);
  }
  return byExecution;
}

/** Pages of a list with what happened to their executions; the same pages where nothing did. */
export function pagesAfter(
  data: Pages,
  byExecution: ReadonlyMap<string, readonly Happening[]>,
  stays: (record: Execution) => boolean,
): Pages {
  let changed = false;
  const pages = data.pages.map((page) => {
    if (!page.items.some((item) => byExecution.has(item.id))) return page;
    changed = true;
    const items = page.items.flatMap((item) => {
      const own = byExecution.get(item.id);
      if (!own) return [item];
      const after = afterAll(item, own);
      return after && stays(after) ? [after] : [];
    });
    return { ...page, items };
  });
  return changed ? { ...data, pages } : data;
}

function afterAll(record: Execution, happenings: readonly Happening[]): Execution | undefined {
  let after = record;
  for (const each of happenings) {
    if (each.type === "deleted") return undefined;
    if (each.type === "execution") after = patched(after, each);
    if (each.type === "progress") after = progressed(after, each);
  }
  return after;
}
