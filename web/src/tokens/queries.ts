import { infiniteQueryOptions } from "@tanstack/react-query";
import { api, ask } from "../api/client";

const PAGE = 200;

export const TOKENS = ["tokens"] as const;

export interface TokenSearch {
  owner?: string;
  /** Also those that are over. */
  all?: true;
}

export const tokensQuery = ({
  owner,
  all = false as boolean,
}: {
  owner?: string | undefined;
  all?: boolean;
}) =>
  infiniteQueryOptions({
    queryKey: [...TOKENS, { owner, all }],
    queryFn: ({ pageParam, signal }) => {
      const query = { limit: PAGE, all, ...(owner && { owner }), ...(pageParam && { cursor: pageParam }) };
      return ask(api.GET("/v1/tokens", { params: { query }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
