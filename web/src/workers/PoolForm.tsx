import { useQueryClient } from "@tanstack/react-query";
import { api, ask } from "../api/client";
import type { Pool } from "../api/types";
import { say } from "../ui/notify";
import { PoolDialog } from "./PoolDialog";
import { POOLS } from "./queries";

/** Change what a pool is said to be, and its limits; of a paused one, so that it goes on. */
export function PoolForm({ pool, onClose }: { pool: Pool; onClose: () => void }) {
  const client = useQueryClient();
  const { name, max_running } = pool;
  const isPaused = max_running === 0;
  return (
    <PoolDialog
      title={isPaused ? `Resume the pool ${name}` : `Change the pool ${name}`}
      confirm={isPaused ? "Resume" : "Save"}
      before={isPaused ? { ...pool, max_running: null } : pool}
      onClose={onClose}
      onSave={async (body) => {
        await ask(api.PATCH("/v1/pools/{name}", { params: { path: { name } }, body }));
        await client.invalidateQueries({ queryKey: POOLS });
        say(isPaused ? `The pool ${name} goes on.` : `The pool ${name} was changed.`);
      }}
    />
  );
}
