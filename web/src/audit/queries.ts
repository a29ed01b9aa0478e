import { infiniteQueryOptions } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import type { Schemas } from "../api/types";
import type { AuditSearch } from "./search";

export type Entry = Schemas["AuditEntry"];

const PAGE = 100;
/** No event tells of an entry: while only the newest are shown, they are asked for so often. */
const EVERY = 10_000;

/** Who did what, the newest first. */
export const auditQuery = (search: AuditSearch) =>
  infiniteQueryOptions({
    queryKey: ["audit", search],
    queryFn: ({ pageParam, signal }) => {
      const query = { ...search, limit: PAGE, ...(pageParam && { cursor: pageParam }) };
      return ask(api.GET("/v1/audit", { params: { query }, signal }));
    },
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: ({ state }) => (state.data?.pages.length === 1 ? EVERY : false),
    staleTime: 0,
  });
