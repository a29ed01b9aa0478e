import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import type { Schemas } from "../api/types";
import { executionKey } from "../executions/queries";
import type { Output } from "./tree";

// What lies below the key of an execution is fetched again when something happens to it.

export const eventsQuery = (id: string) =>
  queryOptions({
    queryKey: [...executionKey(id), "events"],
    queryFn: async ({ signal }) =>
      (await ask(api.GET("/v1/executions/{id}/events", { params: { path: { id } }, signal }))).items,
  });

export const attemptsQuery = (id: string) =>
  queryOptions({
    queryKey: [...executionKey(id), "attempts"],
    queryFn: async ({ signal }) =>
      (await ask(api.GET("/v1/executions/{id}/attempts", { params: { path: { id } }, signal }))).items,
  });

export const outputsQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: [...executionKey(id), "outputs"],
    queryFn: ({ signal, pageParam: cursor }) =>
      ask(api.GET("/v1/executions/{id}/outputs", { params: { path: { id }, query: { cursor } }, signal })),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
  });

export const usageQuery = (id: string, attempt: number | undefined) =>
  queryOptions({
    queryKey: [...executionKey(id), "usage", attempt ?? "latest"],
    queryFn: ({ signal }) =>
      ask(api.GET("/v1/executions/{id}/usage", { params: { path: { id }, query: { attempt } }, signal })),
    // Samples are no events. So what runs is looked at now and then, while its usage is shown.
    refetchInterval: ({ state: { data } }) => (data?.running ? Math.max(10, data.every) * 1000 : false),
  });

export const sharesQuery = (id: string) =>
  queryOptions({
    queryKey: [...executionKey(id), "shares"],
    queryFn: async ({ signal }) =>
      (await ask(api.GET("/v1/executions/{id}/shares", { params: { path: { id } }, signal }))).items,
  });

/** What came after it: run again from it, or gone on from its checkpoint. */
export const descendantsQuery = (id: string, by: "rerun_of" | "resumed_from") =>
  queryOptions({
    queryKey: [...executionKey(id), by],
    queryFn: ({ signal }) =>
      ask(api.GET("/v1/executions", { params: { query: { [by]: id, archived: "any", limit: 20 } }, signal })),
  });

// These never change, as long as there is such a file or execution.
const FOR_GOOD = { staleTime: Number.POSITIVE_INFINITY, gcTime: 300_000 };

export const codeQuery = (id: string, language: Schemas["Language"]) =>
  queryOptions({
    queryKey: ["code", id, language],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/v1/executions/{id}/code", {
          params: { path: { id }, query: { language } },
          parseAs: "text",
          signal,
        }),
      ) as Promise<string>,
    ...FOR_GOOD,
  });

/** What can be shown of a file. */
export const previewQuery = (id: string, { path, sha256 }: Output) =>
  queryOptions({
    queryKey: ["preview", id, path, sha256],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/v1/executions/{id}/previews/{path}", { params: { path: { id, path } }, signal }),
      ) as Promise<Schemas["PreviewView"]>,
    ...FOR_GOOD,
  });

/** The bytes of a picture, under the type that is said of it: the API sends some as of no type that browsers run. */
export const pictureQuery = (id: string, { path, sha256, media_type }: Output) =>
  queryOptions({
    queryKey: ["picture", id, path, sha256],
    queryFn: async ({ signal }) => {
      const bytes = await ask(
        api.GET("/v1/executions/{id}/outputs/{path}", {
          params: { path: { id, path } },
          parseAs: "arrayBuffer",
          signal,
        }),
      );
      return new Blob([bytes as ArrayBuffer], { type: media_type });
    },
    ...FOR_GOOD,
  });
