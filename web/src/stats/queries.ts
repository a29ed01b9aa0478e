import { queryOptions, useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";
import { api, ask } from "../api/client";
import { archivedOf, type Shelf } from "../executions/search";
import { useHappenings } from "../live/live";

/** How many executions there are of each status. */
export const countsQuery = (shelf: Shelf) =>
  queryOptions({
    queryKey: ["stats", "counts", shelf],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/v1/stats/counts", {
          params: { query: { group_by: ["status"], archived: archivedOf(shelf) } },
          signal,
        }),
      ),
  });

/** Also what nothing happens to becomes older, and steps begin. So often, while it is in sight. */
const AS_TIME_PASSES = 30_000;

/** How it stands, and what came and went in so many seconds until now, in steps. */
export const statsQuery = (span: number, step: number) =>
  queryOptions({
    queryKey: ["stats", "flow", span, step],
    queryFn: ({ signal }) => {
      const from = new Date(Date.now() - span * 1000).toISOString();
      return ask(api.GET("/v1/stats", { params: { query: { from, step } }, signal }));
    },
    placeholderData: (before) => before,
    refetchInterval: AS_TIME_PASSES,
    // Who comes back to it, or wakes a machine that slept, sees the past of a moment ago.
    refetchOnWindowFocus: "always",
  });

const EVERY = 1500;

/** Keep numbers and whatever else these keys begin with as they are by now: soon after something happens, not all the time. */
export function useFresh(...keys: readonly string[]): void {
  const client = useQueryClient();
  const timer = useRef(0);
  useHappenings((happenings) => {
    if (timer.current || happenings.every((each) => each.type === "progress")) return;
    timer.current = window.setTimeout(() => {
      timer.current = 0;
      for (const key of keys) void client.invalidateQueries({ queryKey: [key] });
    }, EVERY);
  });
}
