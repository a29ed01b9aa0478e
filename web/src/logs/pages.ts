import { api, ask } from "../api/client";
import { type Item, lastOf, type More, pageOf } from "./frames";
import { isNarrowed, type LogQuery, parametersOf } from "./query";
import { Segment } from "./segment";

/** Records of one request. */
export const PAGE = 1_000;

/** Which records: as the API takes it. */
export interface Places {
  after?: number;
  before?: number;
  tail?: number;
  limit?: number;
  since?: string;
}

export async function read(
  execution: string,
  query: LogQuery,
  places: Places,
  signal?: AbortSignal,
): Promise<{ items: Item[]; more: More | null }> {
  const asked = { ...parametersOf(query), ...places, format: "ndjson" as const };
  const body = await ask(
    api.GET("/v1/executions/{id}/logs", {
      params: { path: { id: execution }, query: asked },
      parseAs: "text",
      signal: signal ?? null,
    }),
  );
  return pageOf(body);
}

/** The page before a seq. */
export async function readBefore(
  execution: string,
  query: LogQuery,
  before: number,
  signal?: AbortSignal,
): Promise<Segment> {
  let page = await read(execution, query, { before, tail: PAGE }, signal);
  const items = page.items;
  while (page.more) {
    // A search took too long: on from where it broke off.
    page = await read(execution, query, { after: page.more.after, before }, signal);
    items.push(...page.items);
  }
  const segment = new Segment(firstSeq(items), isNarrowed(query));
  segment.append(items, before - 1);
  return segment;
}

/** Up to where such a page reaches back: where there are fewer, there is nothing before. */
function firstSeq(items: readonly Item[]): number {
  const records = items.filter((item) => item.kind === "record");
  return records.length < PAGE ? 1 : (records[0]?.seq ?? 1);
}

/** The page behind a seq; it ends before `before`, or else at `newest` if there is no more. */
export async function readAfter(
  execution: string,
  query: LogQuery,
  after: number,
  { before, newest, signal }: { before: number | null; newest: number; signal?: AbortSignal },
): Promise<Segment> {
  const places: Places = { after, limit: PAGE, ...(before && { before }) };
  const { items, more } = await read(execution, query, places, signal);
  const end = before ? before - 1 : Math.max(after, newest, ...items.slice(-1).map(lastOf));
  const segment = new Segment(after + 1, isNarrowed(query));
  segment.append(items, more ? more.after : end);
  return segment;
}

/** The seq of the first record from a time on; null if there is none. */
export async function seqAt(execution: string, query: LogQuery, since: string): Promise<number | null> {
  const { items } = await read(execution, query, { since, limit: 1 });
  return items.find((item) => item.kind === "record")?.seq ?? null;
}
