import { useMutation, useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import type { Execution, Schemas } from "../api/types";
import { executionKey } from "../executions/queries";
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
      showProblem(error);
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

export type Change = Schemas["ChangeRequest"];

/** A merge patch: what is left out stays, null brings the default back. */
export const change = (id: string, patch: object) =>
  ask(api.PATCH("/v1/executions/{id}", { ...one(id), body: patch as Change }));
