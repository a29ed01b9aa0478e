import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api } from "../api/client";
import { asProblem } from "../api/problem";
import type { Execution } from "../api/types";
import { executionKey } from "../executions/queries";
import { type Connection, waitAfter } from "../live/feed";
import { shareQuery } from "./queries";

/** So long the API may keep an answer back, in seconds, while nothing changes. */
const PATIENCE = 25;
/** Progress may change many times a second, which nobody can read: milliseconds between two answers. */
const REST = 500;

/**
 * Keep the record true, without the events of the installation, which are not for guests: the API answers when the record
 * is another, or the share is over. Also of one that has ended, which may be archived, or shared no longer.
 */
export function useFollowing(id: string): Connection {
  const client = useQueryClient();
  const [connection, setConnection] = useState<Connection>("connecting");
  useEffect(() => {
    const leaving = new AbortController();
    void follow(client, id, leaving.signal, setConnection);
    return () => leaving.abort();
  }, [client, id]);
  return connection;
}

async function follow(
  client: QueryClient,
  id: string,
  signal: AbortSignal,
  onConnection: (connection: Connection) => void,
): Promise<void> {
  let known: string | null = null;
  let failures = 0;
  while (!signal.aborted) {
    try {
      known = await next(client, id, known, signal);
      failures = 0;
      onConnection("live");
      await rest(REST, signal);
    } catch (error) {
      if (signal.aborted) return;
      const { status } = asProblem(error);
      if (status === 401 || status === 404) {
        // Whoever is asked by which share it is seen says why it is seen no longer.
        void client.refetchQueries({ queryKey: shareQuery(id).queryKey });
        return;
      }
      onConnection("waiting");
      await rest(waitAfter(failures, Math.random()), signal);
      failures += 1;
    }
  }
}

/** Take the record that is not the `known` one into the cache; the tag of what is known then. */
async function next(
  client: QueryClient,
  id: string,
  known: string | null,
  signal: AbortSignal,
): Promise<string | null> {
  const { data, response } = await api.GET("/v1/executions/{id}", {
    params: { path: { id }, query: known ? { wait: PATIENCE } : {} },
    headers: known ? { "If-None-Match": known } : {},
    signal,
  });
  if (!data) return known;
  const key = executionKey(id);
  const before = client.getQueryData<Execution>(key);
  client.setQueryData<Execution>(key, data);
  // What lies below it, such as its history and outputs, changes with all but its progress.
  if (before && before.updated_at !== data.updated_at)
    void client.invalidateQueries({
      queryKey: key,
      predicate: ({ queryKey }) => queryKey.length > key.length,
    });
  return response.headers.get("ETag");
}

function rest(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
