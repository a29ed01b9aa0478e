import { queryOptions } from "@tanstack/react-query";
import { api, ask } from "../api/client";

export const USAGE = ["usage"] as const;

/** What one uses oneself, and how much one may. */
export const mySharesQuery = queryOptions({
  queryKey: [...USAGE, "mine"],
  queryFn: async ({ signal }) => (await ask(api.GET("/v1/me", { signal }))).quota,
});

/** The limits of an owner, and what they use; for admins. */
export const quotaQuery = (owner: string) =>
  queryOptions({
    queryKey: [...USAGE, "of", owner],
    queryFn: ({ signal }) => ask(api.GET("/v1/quotas/{owner}", { params: { path: { owner } }, signal })),
  });

/** Who has limits of their own; for admins. */
export const quotasQuery = queryOptions({
  queryKey: [...USAGE, "owners"],
  queryFn: ({ signal }) => ask(api.GET("/v1/quotas", { signal })),
});

/** What came and went of an owner's in so many seconds until now, in steps. */
export const flowQuery = (owner: string, span: number, step: number) =>
  queryOptions({
    queryKey: ["stats", "flow", "of", owner, span, step],
    queryFn: ({ signal }) => {
      const from = new Date(Date.now() - span * 1000).toISOString();
      return ask(api.GET("/v1/stats", { params: { query: { owner: [owner], from, step } }, signal }));
    },
    placeholderData: (before) => before,
  });
