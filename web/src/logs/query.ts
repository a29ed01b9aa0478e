import type { Stream } from "./frames";

export const STREAMS: readonly Stream[] = ["stdout", "stderr", "system"];
export const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
export type Level = (typeof LEVELS)[number];

export interface Pattern {
  /** A regular expression as RE2 reads them. */
  grep: string;
  ignoreCase: boolean;
}

/** Which records are wanted. */
export interface LogQuery {
  streams: readonly Stream[];
  /** Lines of this level or above; null for all. */
  level: Level | null;
  /** Only lines that match; null for all. */
  pattern: Pattern | null;
}

export const EVERYTHING: LogQuery = { streams: STREAMS, level: null, pattern: null };

/** Whether lines are left out of their streams. */
export function isNarrowed({ level, pattern }: LogQuery): boolean {
  return level !== null || pattern !== null;
}

/** As parameters of the API. */
export interface Parameters {
  streams: string;
  level?: Level;
  grep?: string;
  ignore_case?: boolean;
}

export function parametersOf({ streams, level, pattern }: LogQuery): Parameters {
  const parameters: Parameters = { streams: streams.join(",") };
  if (level) parameters.level = level;
  if (pattern) parameters.grep = pattern.grep;
  if (pattern?.ignoreCase) parameters.ignore_case = true;
  return parameters;
}

/** Whether every record is wanted, so that they can be counted by their seqs. */
export function isEverything(query: LogQuery): boolean {
  return query.streams.length === STREAMS.length && !isNarrowed(query);
}

interface Shape {
  format: "text" | "raw" | "ndjson";
  ansi?: "strip";
  timestamps?: boolean;
  compress?: "gzip";
}

/** Where the API gives the log as a file. */
export function downloadUrl(execution: string, parameters: Partial<Parameters> & Shape): string {
  const said = Object.entries({ ...parameters, download: true }).map(([name, value]) => [
    name,
    String(value),
  ]);
  return `/v1/executions/${execution}/logs?${new URLSearchParams(said)}`;
}
