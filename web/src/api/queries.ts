import { QueryClient } from "@tanstack/react-query";
import { asProblem } from "./problem";

const RETRIES = 2;

/** What pages have fetched. Live events keep it true, so nothing is fetched again only because time passes. */
export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) => isTransient(error) && failures < RETRIES,
    },
  },
});

/** Whether the same may be answered otherwise in a moment. */
function isTransient(error: unknown): boolean {
  const { status, code } = asProblem(error);
  return code === "unreachable" || status === 502 || status === 503 || status === 504;
}
