import { infiniteQueryOptions, queryOptions, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { api, ask } from "../api/client";
import type { Schemas } from "../api/types";
import { settled, useHappenings } from "../live/live";

export type Batch = Schemas["Batch"];

const PAGE = 100;
/** How often at most batches are fetched anew while their children change. */
const EVERY = 1000;

export const BATCHES = ["batches"] as const;

export const batchesQuery = infiniteQueryOptions({
  queryKey: [...BATCHES, "list"],
  queryFn: async ({ pageParam, signal }) => {
    await settled();
    const query = { limit: PAGE, ...(pageParam && { cursor: pageParam }) };
    return ask(api.GET("/v1/batches", { params: { query }, signal }));
  },
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next,
});

export const batchQuery = (id: string) =>
  queryOptions({
    queryKey: [...BATCHES, "one", id],
    queryFn: async ({ signal }) => {
      await settled();
      return ask(api.GET("/v1/batches/{id}", { params: { path: { id } }, signal }));
    },
  });

/** Fetch what is shown of batches anew, soon after something happened to any execution: frames do not name the batch. */
export function useFreshBatches(isOver = false): void {
  const client = useQueryClient();
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  useHappenings((happenings) => {
    if (isOver || timer.current || happenings.every(({ type }) => type === "progress")) return;
    timer.current = window.setTimeout(() => {
      timer.current = 0;
      void client.invalidateQueries({ queryKey: BATCHES });
    }, EVERY);
  });
}

/** Who needs whom never changes. */
export const needsQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: ["batch-needs", id],
    queryFn: ({ pageParam, signal }) => {
      const query = pageParam === null ? {} : { cursor: pageParam };
      return ask(api.GET("/v1/batches/{id}/needs", { params: { path: { id }, query }, signal }));
    },
    initialPageParam: null as number | null,
    getNextPageParam: (page) => page.next,
    staleTime: Number.POSITIVE_INFINITY,
  });
