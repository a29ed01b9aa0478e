import { infiniteQueryOptions, queryOptions, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { api, ask } from "../api/client";
import type { Schemas } from "../api/types";
import { useHappenings } from "../live/live";

export type Schedule = Schemas["ScheduleView"];
export type Run = Schemas["RunView"];
export type Trigger = Schemas["TriggerView"];
export type Delivery = Schemas["TriggerDeliveryView"];

export const SCHEDULES = ["schedules"] as const;
export const TRIGGERS = ["triggers"] as const;
const PAGE = 100;
const HISTORY = 50;
/** A firing that is skipped or fails makes no execution, so nothing tells of it: once a while it is looked. */
const EVERY = 20_000;
const SOON = 1000;

export const schedulesQuery = infiniteQueryOptions({
  queryKey: [...SCHEDULES, "list"],
  queryFn: ({ pageParam, signal }) => {
    const query = { limit: PAGE, ...(pageParam && { cursor: pageParam }) };
    return ask(api.GET("/v1/schedules", { params: { query }, signal }));
  },
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next,
});

export const scheduleQuery = (id: string) =>
  queryOptions({
    queryKey: [...SCHEDULES, "one", id],
    queryFn: ({ signal }) => ask(api.GET("/v1/schedules/{id}", { params: { path: { id } }, signal })),
  });

export const runsQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: [...SCHEDULES, "one", id, "runs"],
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: HISTORY, ...(pageParam && { cursor: pageParam }) };
      return ask(api.GET("/v1/schedules/{id}/runs", { params: { path: { id }, query }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });

export const comingQuery = (id: string) =>
  queryOptions({
    queryKey: [...SCHEDULES, "one", id, "coming"],
    queryFn: ({ signal }) =>
      ask(api.GET("/v1/schedules/{id}/preview", { params: { path: { id }, query: { count: 10 } }, signal })),
  });

export const previewQuery = (rule: Schemas["Rule"]) =>
  queryOptions({
    queryKey: ["previews", rule],
    queryFn: ({ signal }) => ask(api.POST("/v1/schedules:preview", { body: { rule, count: 10 }, signal })),
    retry: false,
  });

export const triggersQuery = infiniteQueryOptions({
  queryKey: [...TRIGGERS, "list"],
  queryFn: ({ pageParam, signal }) => {
    const query = { limit: PAGE, ...(pageParam && { cursor: pageParam }) };
    return ask(api.GET("/v1/triggers", { params: { query }, signal }));
  },
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next,
});

export const triggerQuery = (id: string) =>
  queryOptions({
    queryKey: [...TRIGGERS, "one", id],
    queryFn: ({ signal }) => ask(api.GET("/v1/triggers/{id}", { params: { path: { id } }, signal })),
  });

export const deliveriesQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: [...TRIGGERS, "one", id, "deliveries"],
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: HISTORY, ...(pageParam && { cursor: pageParam }) };
      return ask(api.GET("/v1/triggers/{id}/deliveries", { params: { path: { id }, query }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });

/** Keep what is shown of these true: soon after something was submitted, and once a while. */
export function useFresh(key: readonly string[]): void {
  const client = useQueryClient();
  const timer = useRef(0);
  useEffect(() => {
    const slow = setInterval(() => {
      if (document.visibilityState === "visible") void client.invalidateQueries({ queryKey: key });
    }, EVERY);
    return () => {
      clearInterval(slow);
      clearTimeout(timer.current);
      timer.current = 0;
    };
  }, [client, key]);
  useHappenings((happenings) => {
    const isNew = happenings.some((each) => each.type === "execution" && each.from === null);
    if (!isNew || timer.current) return;
    timer.current = window.setTimeout(() => {
      timer.current = 0;
      void client.invalidateQueries({ queryKey: key });
    }, SOON);
  });
}

/** What came of the newest firing; null before the first. */
export const lastRunQuery = (id: string) =>
  queryOptions({
    queryKey: [...SCHEDULES, "one", id, "last"],
    queryFn: async ({ signal }) => {
      const params = { path: { id }, query: { limit: 1 } };
      const { items } = await ask(api.GET("/v1/schedules/{id}/runs", { params, signal }));
      return items[0] ?? null;
    },
  });
