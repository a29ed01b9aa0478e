import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, ask } from "../api/client";

export const executionKey = (id: string) => ["executions", "one", id] as const;
export const LISTS = ["executions", "list"] as const;

export const executionQuery = (id: string) =>
  queryOptions({
    queryKey: executionKey(id),
    queryFn: ({ signal }) => ask(api.GET("/v1/executions/{id}", { params: { path: { id } }, signal })),
  });

/** One execution, kept as it is by what happens to it. */
export function useExecution(id: string) {
  return useQuery(executionQuery(id));
}
