/** The limits of an execution as a form shows and changes them. Pure. */
import type { Execution, Schemas } from "../api/types";
import { exactBytes } from "./spelling";

export type Limit = keyof Schemas["Limits"];
type Value = number | string | null | undefined;

interface Field {
  limit: Limit;
  label: string;
  unit: "seconds" | "bytes" | "count";
  /** Whether it may be none. */
  optional?: boolean;
  about: string;
}

export const CLOCKS: readonly Field[] = [
  { limit: "timeout", label: "Running time", unit: "seconds", about: "Then it is stopped" },
  {
    limit: "idle_timeout",
    label: "Silence",
    unit: "seconds",
    optional: true,
    about: "Without any output for so long it is stopped",
  },
  {
    limit: "warn_before",
    label: "Warning",
    unit: "seconds",
    optional: true,
    about: "So long before its deadline the program is warned",
  },
  {
    limit: "queue_timeout",
    label: "Waiting",
    unit: "seconds",
    optional: true,
    about: "So long it may wait in the queue",
  },
  { limit: "pull_timeout", label: "Pulling the image", unit: "seconds", about: "So long that may take" },
  { limit: "grace", label: "Grace", unit: "seconds", about: "From the request to stop until SIGKILL" },
  {
    limit: "notice",
    label: "Notice",
    unit: "seconds",
    optional: true,
    about: "From the request to stop until its stop signal",
  },
];

export const SIZES: readonly Field[] = [
  { limit: "cpus", label: "Cores", unit: "count", about: "Also parts of one" },
  { limit: "memory", label: "Memory", unit: "bytes", about: "There is no swap" },
  { limit: "disk", label: "Disk", unit: "bytes", about: "All that it writes" },
  { limit: "pids", label: "Processes", unit: "count", about: "Threads, too" },
  { limit: "shm", label: "Shared memory", unit: "bytes", about: "/dev/shm" },
  { limit: "file_size", label: "Largest file", unit: "bytes", about: "That it may write" },
  { limit: "log_bytes", label: "Log", unit: "bytes", about: "What is kept of it" },
  { limit: "output_bytes", label: "Outputs", unit: "bytes", about: "Kept, all files together" },
  { limit: "output_files", label: "Output files", unit: "count", about: "That are kept" },
  { limit: "checkpoint_bytes", label: "Checkpoint", unit: "bytes", about: "The largest that is kept" },
];

export type { Field };

/** How a limit is called, by its path in a record. */
export function labelOf(path: string): string {
  return [...CLOCKS, ...SIZES].find(({ limit }) => path === `limits.${limit}`)?.label ?? path;
}

/** A limit as its input has it; nothing for none. */
export function shownValue({ limit, unit }: Field, limits: Execution["limits"]): string {
  const value: Value = limits[limit];
  if (value == null) return "";
  return unit === "bytes" && typeof value === "number" ? exactBytes(value) : String(value);
}

export type Draft = Partial<Record<Limit, string>>;

/** The merge patch of what a draft has that differs from the limits; null if nothing does. */
export function patchOf(
  draft: Draft,
  limits: Execution["limits"],
): Record<string, number | string | null> | null {
  const changed = [...CLOCKS, ...SIZES].flatMap((field) => {
    const text = draft[field.limit]?.trim();
    return text === undefined || text === shownValue(field, limits)
      ? []
      : [[field.limit, sent(text)] as const];
  });
  return changed.length > 0 ? Object.fromEntries(changed) : null;
}

/** Numbers as numbers; whatever else is for the API to judge, in its own words. */
function sent(text: string): number | string | null {
  if (text === "") return null;
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
