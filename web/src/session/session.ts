import { queryOptions, useSuspenseQuery } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import type { Me, Scope } from "../api/types";
import { leaveBy } from "./login";

export const meQuery = queryOptions({ queryKey: ["me"], queryFn: () => ask(api.GET("/v1/me")) });

/** Who is looking at this page. */
export function useMe(): Me {
  return useSuspenseQuery(meQuery).data;
}

/** Whether the session may do what needs this scope. `admin` may all of it. */
export function useMay(scope: Scope): boolean {
  const { scopes } = useMe();
  return scopes.includes(scope) || scopes.includes("admin");
}

/** End the session, here and in every other tab. */
export function logOut(): Promise<void> {
  return leaveBy(() => ask(api.DELETE("/v1/session")));
}
