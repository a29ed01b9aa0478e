import { useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";
import type { Execution } from "../api/types";
import { executionKey } from "../executions/queries";
import type { Happening } from "../live/frames";
import { useHappenings } from "../live/live";

/** So often at most, in milliseconds, however much happens. */
const EVERY = 3000;

/** Keep the place in the queue true: it changes when others of the pool come and go, not when something happens to this one. */
export function useQueuePlace({ id, status, pool }: Execution): void {
  const client = useQueryClient();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useHappenings((happenings) => {
    if (status !== "queued" || timer.current !== undefined) return;
    if (!happenings.some((each) => movesQueue(each, pool))) return;
    timer.current = setTimeout(() => {
      timer.current = undefined;
      void client.invalidateQueries({ queryKey: executionKey(id), exact: true });
    }, EVERY);
  });
}

function movesQueue(happening: Happening, pool: string): boolean {
  if (happening.type !== "execution" || happening.pool !== pool) return false;
  return happening.status === "queued" || happening.from === "queued";
}
