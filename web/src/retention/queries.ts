import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { api, ask } from "../api/client";

/** What is kept how long, and what would go within so many days: a dry run. */
export const retentionQuery = (days: number) =>
  queryOptions({
    queryKey: ["retention", days],
    queryFn: ({ signal }) => ask(api.GET("/v1/retention", { params: { query: { days } }, signal })),
    placeholderData: keepPreviousData,
  });
