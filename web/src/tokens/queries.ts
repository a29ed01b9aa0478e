import { infiniteQueryOptions } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import type { Kind } from "./granting";

const PAGE = 200;

export const TOKENS = ["tokens"] as const;

export interface TokenSearch {
  owner?: string;
  kind?: Kind;
  /** Also those that are over. */
  all?: true;
}

export const tokensQuery = ({
  owner,
  kind,
  all = false as boolean,
}: {
  owner?: string | undefined;
  kind?: Kind | undefined;
  all?: boolean;
}) =>
  infiniteQueryOptions({
    queryKey: [...TOKENS, { owner, kind, all }],
    queryFn: ({ pageParam, signal }) => {
      const query = {
        limit: PAGE,
        all,
        kind,
        ...(owner && { owner }),
        ...(pageParam && { cursor: pageParam }),
      };
      return ask(api.GET("/v1/tokens", { params: { query }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
