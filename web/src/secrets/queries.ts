import { queryOptions } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import { everyPage } from "../api/paging";
import type { Schemas } from "../api/types";
import { secretsIn } from "./naming";

export type Secret = Schemas["SecretView"];

export const SECRETS = ["secrets"] as const;

/** Yours, without their values: nobody gets those back. */
export const secretsQuery = queryOptions({
  queryKey: SECRETS,
  queryFn: ({ signal }) => ask(api.GET("/v1/secrets", { signal })),
});

/** What will be submitted with a secret, some day. */
export interface Use {
  kind: "schedule" | "trigger";
  id: string;
  name: string;
}

/** Which schedules and triggers of an owner name a secret of theirs. */
export const usesQuery = (secret: string, owner: string) =>
  queryOptions({
    queryKey: [...SECRETS, "uses", secret, owner],
    queryFn: async ({ signal }): Promise<Use[]> => {
      const [schedules, triggers] = await Promise.all([
        everyPage((cursor) =>
          ask(api.GET("/v1/schedules", { params: { query: pageAfter(cursor) }, signal })),
        ),
        everyPage((cursor) => ask(api.GET("/v1/triggers", { params: { query: pageAfter(cursor) }, signal }))),
      ]);
      const isMeant = (each: { owner: string }, target: unknown) =>
        each.owner === owner && secretsIn(target).has(secret);
      return [
        ...schedules
          .filter((each) => isMeant(each, each.targets))
          .map(({ id, name }): Use => ({ kind: "schedule", id, name })),
        ...triggers
          .filter((each) => isMeant(each, each.target))
          .map(({ id, name }): Use => ({ kind: "trigger", id, name })),
      ];
    },
    staleTime: 0,
  });

function pageAfter(cursor: string | null) {
  return { limit: 200, ...(cursor && { cursor }) };
}
