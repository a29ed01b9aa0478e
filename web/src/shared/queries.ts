import { queryOptions } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import { openedBy } from "../session/guest";

/** The share by which this page is seen. Once it is fetched the browser has the cookie for what sends no header. */
export const shareQuery = (id: string) =>
  queryOptions({
    queryKey: ["share", id],
    queryFn: async ({ signal }) => {
      const share = await ask(api.GET("/v1/executions/{id}/share", { params: { path: { id } }, signal }));
      openedBy(share.id);
      return share;
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
