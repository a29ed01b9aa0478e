import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import type { Delivery } from "./sending";

const PAGE = 50;
/** Tries happen without any event of an execution: so often the log is asked for while the page is in sight. */
const EVERY = 15_000;
/** Somebody waits for the first try of a test, which is over after seconds. */
const SOON = 1_500;

export const WEBHOOKS = ["webhooks"] as const;

export const webhooksQuery = infiniteQueryOptions({
  queryKey: [...WEBHOOKS, "list"],
  queryFn: ({ pageParam, signal }) => {
    const query = { limit: PAGE, ...(pageParam && { cursor: pageParam }) };
    return ask(api.GET("/v1/webhooks", { params: { query }, signal }));
  },
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next,
});

export const webhookQuery = (id: string) =>
  queryOptions({
    queryKey: [...WEBHOOKS, "one", id],
    queryFn: ({ signal }) => ask(api.GET("/v1/webhooks/{id}", { params: { path: { id } }, signal })),
    refetchInterval: EVERY,
  });

export const deliveriesQuery = (id: string, state: Delivery["state"] | null) =>
  infiniteQueryOptions({
    queryKey: [...WEBHOOKS, "deliveries", id, state],
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: PAGE, ...(state && { state }), ...(pageParam && { cursor: pageParam }) };
      return ask(api.GET("/v1/webhooks/{id}/deliveries", { params: { path: { id }, query }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    refetchInterval: ({ state: { data } }) => {
      const newest = data?.pages[0]?.items[0];
      return newest?.event === "webhook.ping" && newest.state === "waiting" && newest.tries === 0
        ? SOON
        : EVERY;
    },
  });

/** A message is kept as it was sent. */
export const messageQuery = (id: string, delivery: string) =>
  queryOptions({
    queryKey: ["webhook-messages", id, delivery],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/v1/webhooks/{id}/deliveries/{delivery}/body", {
          params: { path: { id, delivery } },
          signal,
        }),
      ),
    staleTime: Number.POSITIVE_INFINITY,
  });
