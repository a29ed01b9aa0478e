/** What of the page stands in its address. Pure. */

export const TABS = [
  "log",
  "outputs",
  "details",
  "limits",
  "history",
  "attempts",
  "result",
  "usage",
  "code",
  "lineage",
  "json",
] as const;
export type Tab = (typeof TABS)[number];

export interface ExecutionSearch {
  /** The first if left out. */
  tab?: Tab | undefined;
  /** Of the outputs: the file that is shown. */
  path?: string | undefined;
}

export function readSearch(search: Record<string, unknown>): ExecutionSearch {
  const { tab, path } = search;
  return {
    ...(isTab(tab) && tab !== TABS[0] ? { tab } : {}),
    ...(typeof path === "string" && path ? { path } : {}),
  };
}

export function isTab(value: unknown): value is Tab {
  return (TABS as readonly unknown[]).includes(value);
}
