import type { Execution, Schemas } from "../api/types";
import type { Pages } from "./cache";
import type { ListSearch } from "./search";

/** By what a list is in order, latest first; null where new ones do not come at its head. */
export function headOrder(search: ListSearch): ((record: Execution) => string) | null {
  switch (search.sort) {
    case undefined:
    case "-created":
      // Ids are in the order of submission.
      return (record) => record.id;
    case "-finished":
      return (record) => record.finished_at ?? "";
    default:
      return null;
  }
}

/**
 * A list after its first page was fetched again: what is new comes before the rest, what is known is renewed, and what
 * would stand in that page but does not is gone. Where that page has nothing of what was known, the list begins anew.
 */
export function mergedHead(
  data: Pages,
  head: Schemas["ExecutionList"],
  order: (record: Execution) => string,
): Pages {
  const [first, ...rest] = data.pages;
  const fetched = new Set(head.items.map((record) => record.id));
  const knew = data.pages.some((page) => page.items.some((record) => fetched.has(record.id)));
  const last = head.items.at(-1);
  if (!first || head.next === null || !last || !knew) return { pages: [head], pageParams: [null] };
  const stays = (record: Execution) => !fetched.has(record.id) && order(record) < order(last);
  return {
    pageParams: data.pageParams,
    pages: [
      { ...first, items: [...head.items, ...first.items.filter(stays)] },
      ...rest.map((page) => ({ ...page, items: page.items.filter(stays) })),
    ],
  };
}

/** A list in which each of these records is as it is now; null for those that are in it no longer. */
export function withRecords(data: Pages, records: ReadonlyMap<string, Execution | null>): Pages {
  if (records.size === 0) return data;
  const pages = data.pages.map((page) => {
    if (!page.items.some((item) => records.has(item.id))) return page;
    const items = page.items.flatMap((item) => {
      const record = records.has(item.id) ? records.get(item.id) : item;
      return record ? [record] : [];
    });
    return { ...page, items };
  });
  return { ...data, pages };
}
