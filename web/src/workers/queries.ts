import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import type { Worker } from "../api/types";
import { say } from "../ui/notify";
import { TOLD, type Verb } from "./standing";

export const WORKERS = ["workers"] as const;
export const POOLS = ["pools"] as const;

/** No event tells of a worker that falls silent, nor of a disk that fills: so often they are asked for while the page is in sight. */
const EVERY = 15_000;

/** Who is there to run executions; `gone`: also who went in the last 24 hours. */
export const workersQuery = (gone: boolean) =>
  queryOptions({
    queryKey: [...WORKERS, { gone }],
    queryFn: ({ signal }) => ask(api.GET("/v1/workers", { params: { query: { all: gone } }, signal })),
    placeholderData: (before) => before,
    refetchInterval: EVERY,
  });

export const poolsQuery = queryOptions({
  queryKey: POOLS,
  queryFn: ({ signal }) => ask(api.GET("/v1/pools", { signal })),
});

/** The same, asked for as often as workers are. */
export const freshPoolsQuery = { ...poolsQuery, refetchInterval: EVERY };

/** Pause, drain or resume a worker, and say what the API made of it. */
export function useWorkerVerb(worker: Worker) {
  const client = useQueryClient();
  const params = { path: { id: worker.id } };
  return useMutation({
    mutationFn: (verb: Verb) => {
      if (verb === "pause") return ask(api.POST("/v1/workers/{id}/pause", { params }));
      if (verb === "drain") return ask(api.POST("/v1/workers/{id}/drain", { params }));
      return ask(api.POST("/v1/workers/{id}/resume", { params }));
    },
    onSuccess: (answer) => say(TOLD[answer.state](answer)),
    // Also after a refusal: then it stands otherwise than we thought.
    onSettled: async () => {
      await client.invalidateQueries({ queryKey: WORKERS });
      await client.invalidateQueries({ queryKey: POOLS });
    },
  });
}
