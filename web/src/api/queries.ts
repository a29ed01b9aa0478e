import { QueryClient } from "@tanstack/react-query";
import { asProblem } from "./problem";

const RETRIES = 2;
/** For longer nobody is left without a word: then it is said that too much was asked. */
const LONGEST_WAIT = 10;

/** What pages have fetched. Live events keep it true, so nothing is fetched again only because time passes. */
export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 30_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) => failures < RETRIES && isTransient(error),
      retryDelay: (failures, error) => waitAfter(failures, error, Math.random()),
    },
  },
});

/** Whether the same may be answered otherwise in a moment. */
export function isTransient(error: unknown): boolean {
  const { status, code, retryAfter } = asProblem(error);
  if (code === "rate_limited") return (retryAfter ?? 0) <= LONGEST_WAIT;
  return code === "unreachable" || [502, 503, 504].includes(status);
}

/** Milliseconds to the next try: what the API asks for, and by chance a little more, so that not all come at once. */
export function waitAfter(failures: number, error: unknown, chance: number): number {
  const { retryAfter } = asProblem(error);
  return 1000 * (retryAfter === null ? 2 ** failures : retryAfter + chance);
}
