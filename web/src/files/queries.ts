import { infiniteQueryOptions, keepPreviousData } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import type { Schemas } from "../api/types";

export type StoredFile = Schemas["FileView"];

export const FILES = ["files"] as const;
const PAGE = 100;

/** Uploaded files, the newest first; of those whose names begin so. */
export const filesQuery = (name: string | undefined) =>
  infiniteQueryOptions({
    queryKey: [...FILES, "list", name],
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: PAGE, ...(name && { name }), ...(pageParam && { cursor: pageParam }) };
      return ask(api.GET("/v1/files", { params: { query }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
    placeholderData: keepPreviousData,
  });
