import { useMutation, useQueryClient } from "@tanstack/react-query";
import { changeTogether, Overtaken } from "../api/changing";
import { api, ask } from "../api/client";
import type { Execution, Schemas } from "../api/types";
import { executionKey } from "../executions/queries";
import type { JsonObject } from "../submit/json";
import { say, showProblem } from "../ui/notify";

/** Something to ask of an execution, with its answer. */
interface Asked {
  call: () => Promise<unknown>;
  /** What is said when it was done; nothing where the page shows it. */
  said?: string;
  /** How the record will be, where that is sure: it is shown at once, and taken back if the API refuses. */
  expected?: Partial<Execution>;
}

/** Ask things of an execution. What comes back is shown; so is a refusal, with what to do about it. */
export function useOperations(id: string) {
  const client = useQueryClient();
  const key = executionKey(id);
  return useMutation({
    mutationFn: ({ call }: Asked) => call(),
    onMutate: ({ expected }) => {
      const before = client.getQueryData<Execution>(key);
      if (expected && before) client.setQueryData<Execution>(key, { ...before, ...expected });
      return before;
    },
    onSuccess: (_, { said }) => {
      if (said) say(said);
    },
    onError: (error, { expected }, before) => {
      if (expected && before) client.setQueryData<Execution>(key, before);
      // Where both want the same otherwise, whoever asked is asked.
      if (!(error instanceof Overtaken)) showProblem(error);
    },
    onSettled: () => client.invalidateQueries({ queryKey: key }),
  });
}

const one = (id: string) => ({ params: { path: { id } } });

export const cancel = (id: string, force = false) =>
  ask(api.POST("/v1/executions/{id}/cancel", { ...one(id), body: { force } }));

export const pause = (id: string, mode: Schemas["PauseMode"]) =>
  ask(api.POST("/v1/executions/{id}/pause", { ...one(id), body: { mode } }));

export const resume = (id: string) => ask(api.POST("/v1/executions/{id}/resume", one(id)));

export const hold = (id: string) => ask(api.POST("/v1/executions/{id}/hold", one(id)));

export const release = (id: string) => ask(api.POST("/v1/executions/{id}/release", one(id)));

export const archive = (id: string, kept: Schemas["Archive"]) =>
  ask(api.POST("/v1/executions/{id}/archive", { ...one(id), body: { archive: kept } }));

export const restore = (id: string) => ask(api.POST("/v1/executions/{id}/restore", one(id)));

export const remove = (id: string) => ask(api.DELETE("/v1/executions/{id}", one(id)));

/** One more execution of the same. With a key, so that a second click makes no third. */
export async function rerun(
  id: string,
  key: string,
  changes: Schemas["RerunRequest"] = {},
): Promise<Execution> {
  const made = await ask(
    api.POST("/v1/executions/{id}/rerun", {
      params: { path: { id }, header: { "Idempotency-Key": key } },
      body: changes,
    }),
  );
  return "execution" in made ? made.execution : made;
}

/** A merge patch on it as it was `seen`: what is left out stays, null brings the default back. Throws `Overtaken`. */
export const change = (seen: Execution, patch: JsonObject) =>
  changeTogether(seen, patch, {
    read: async () => {
      const now = await ask(api.GET("/v1/executions/{id}", one(seen.id)));
      return { now, etag: `"${now.revision}"` };
    },
    send: (body, etag) =>
      ask(
        api.PATCH("/v1/executions/{id}", {
          ...one(seen.id),
          headers: { "If-Match": etag },
          body: body as Schemas["ChangeRequest"],
        }),
      ),
  });

/** Of whoever stops it, whatever others said before. */
export const setGrace = (id: string, grace: number) =>
  ask(
    api.PATCH("/v1/executions/{id}", { ...one(id), body: { limits: { grace } } as Schemas["ChangeRequest"] }),
  );
