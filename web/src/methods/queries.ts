import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import type { Schemas } from "../api/types";
import type { Document } from "../submit/presets";

export type Method = Schemas["MethodView"];
export type MethodSummary = Schemas["MethodSummary"];
export type MethodVersion = Schemas["MethodVersionView"];

export interface MethodFilters {
  q?: string;
  category?: string;
  retired?: "any";
}

const MOST = 200;

export const METHODS = ["methods"] as const;

export const methodsQuery = (filters: MethodFilters) =>
  queryOptions({
    queryKey: [...METHODS, "list", filters],
    queryFn: ({ signal }) =>
      ask(api.GET("/v1/methods", { params: { query: { ...filters, limit: MOST } }, signal })),
  });

export const methodPagesQuery = (filters: MethodFilters) =>
  infiniteQueryOptions({
    queryKey: [...METHODS, "pages", filters],
    queryFn: ({ pageParam, signal }) => {
      const query = { ...filters, limit: MOST, ...(pageParam && { cursor: pageParam }) };
      return ask(api.GET("/v1/methods", { params: { query }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });

export const methodQuery = (name: string) =>
  queryOptions({
    queryKey: [...METHODS, "one", name],
    queryFn: ({ signal }) => ask(api.GET("/v1/methods/{name}", { params: { path: { name } }, signal })),
  });

export const versionQuery = (name: string, version: string) =>
  queryOptions({
    queryKey: [...METHODS, "one", name, version],
    queryFn: ({ signal }) =>
      ask(api.GET("/v1/methods/{name}/versions/{version}", { params: { path: { name, version } }, signal })),
  });

export const exportQuery = (name: string, version: string) =>
  queryOptions({
    queryKey: [...METHODS, "one", name, version, "yaml"],
    queryFn: async ({ signal }) => {
      const params = { path: { name, version }, query: { format: "yaml" as const } };
      const { data } = await api.GET("/v1/methods/{name}/versions/{version}/export", {
        params,
        signal,
        parseAs: "text",
      });
      return String(data);
    },
  });

export const diffQuery = (name: string, from: string, to: string) =>
  queryOptions({
    queryKey: [...METHODS, "one", name, "diff", from, to],
    queryFn: ({ signal }) =>
      ask(api.GET("/v1/methods/{name}/diff", { params: { path: { name }, query: { from, to } }, signal })),
  });

/** The document of a version: JSON by the API's document, of which a page reads these parts. */
export function documentOf({ document }: MethodVersion): Document {
  return document as Document;
}
