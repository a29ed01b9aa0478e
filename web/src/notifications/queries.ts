import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, ask } from "../api/client";

const PAGE = 50;
/** Messages go out without any event of an execution: so often the log is asked for while the page is in sight. */
const EVERY = 15_000;
/** Somebody waits for what is on its way, which takes seconds. */
const SOON = 1_500;

export const NOTIFICATIONS = ["notifications"] as const;

export const rulesQuery = infiniteQueryOptions({
  queryKey: [...NOTIFICATIONS, "list"],
  queryFn: ({ pageParam, signal }) => {
    const query = { limit: PAGE, ...(pageParam && { cursor: pageParam }) };
    return ask(api.GET("/v1/notifications", { params: { query }, signal }));
  },
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next,
});

export const ruleQuery = (id: string) =>
  queryOptions({
    queryKey: [...NOTIFICATIONS, "one", id],
    queryFn: ({ signal }) => ask(api.GET("/v1/notifications/{id}", { params: { path: { id } }, signal })),
  });

export const logQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: [...NOTIFICATIONS, "one", id, "log"],
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: PAGE, ...(pageParam && { cursor: pageParam }) };
      return ask(api.GET("/v1/notifications/{id}/log", { params: { path: { id }, query }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: ({ state: { data } }) => {
      const newest = data?.pages[0]?.items[0]?.state;
      return newest === "waiting" || newest === "sending" ? SOON : EVERY;
    },
  });
