import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { asProblem, type ProblemError } from "../api/problem";
import type { SubmitRequest } from "./requests";
import { send } from "./sending";

const TYPED_FOR = 450;

export interface Rehearsal {
  state: "asking" | "accepted" | "refused" | "unknown";
  problem: ProblemError | null;
}

/** Whether a request would be accepted, asked anew while it changes; null asks nothing. */
export function useRehearsal(request: SubmitRequest | null): Rehearsal {
  const text = request ? JSON.stringify(request) : null;
  const [asked] = useDebouncedValue(text, TYPED_FOR);
  const answer = useQuery({
    queryKey: ["rehearsals", asked],
    queryFn: async ({ signal }) => {
      try {
        await send(JSON.parse(asked ?? "") as SubmitRequest, { dryRun: true, signal });
        return null;
      } catch (error) {
        const problem = asProblem(error);
        if (isAboutForm(problem)) return problem;
        throw error;
      }
    },
    enabled: asked !== null,
    placeholderData: keepPreviousData,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const problem = answer.data ?? null;
  if (text === null) return { state: "unknown", problem: null };
  if (text !== asked || answer.isFetching) return { state: "asking", problem };
  if (answer.isError) return { state: "unknown", problem: asProblem(answer.error) };
  return { state: problem ? "refused" : "accepted", problem };
}

/** A refusal is an answer; that nobody is logged in, or asks too often, or that all is down, says nothing of the form. */
function isAboutForm({ status, code }: ProblemError): boolean {
  return status >= 400 && status < 500 && status !== 401 && code !== "rate_limited";
}
