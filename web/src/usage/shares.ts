import type { Schemas } from "../api/types";
import { spellBytes } from "../ui/Bytes";

export type Shares = Schemas["Shares"];
export type Limits = Schemas["QuotaLimits"];
export type NewLimits = Schemas["NewQuota"];

/** How a share is told: its name, what it counts, and whether in bytes. */
export const SHARES: readonly { key: keyof Shares; name: string; what: string; isBytes: boolean }[] = [
  { key: "queued", name: "Queued", what: "Executions that wait", isBytes: false },
  { key: "running", name: "Under way", what: "Executions that take a slot", isBytes: false },
  { key: "cpus", name: "CPU cores", what: "Of what takes a slot, by its limits", isBytes: false },
  { key: "memory", name: "Memory", what: "Of what takes a slot, by its limits", isBytes: true },
  { key: "log_bytes", name: "Logs", what: "That are kept", isBytes: true },
  {
    key: "storage",
    name: "Storage",
    what: "Outputs, checkpoints and uploaded files that are kept",
    isBytes: true,
  },
  { key: "file_bytes", name: "Uploaded files", what: "Also those of imported executions", isBytes: true },
];

/** The fields of an owner's limits, as people are asked for them. */
export const FIELDS = [
  { key: "max_queued", label: "Queued at once", isSize: false },
  { key: "max_running", label: "Under way at once", isSize: false },
  { key: "max_cpus", label: "CPU cores at once", isSize: false },
  { key: "max_memory", label: "Memory at once", isSize: true },
  { key: "max_log_bytes", label: "Logs that are kept", isSize: true },
  { key: "max_storage", label: "Storage that is kept", isSize: true },
] as const;

export type Field = (typeof FIELDS)[number]["key"];

/** How near a share is to its limit. */
export function nearnessOf(
  used: number,
  limit: number | null,
): { percent: number; tone: "calm" | "near" | "full" } | null {
  if (limit === null) return null;
  const percent = limit > 0 ? (used / limit) * 100 : 100;
  return { percent: Math.min(100, percent), tone: percent >= 100 ? "full" : percent >= 80 ? "near" : "calm" };
}

/** An amount as people read it: bytes with their unit, numbers as they are. */
export function spellAmount(amount: number, isBytes: boolean): string {
  return isBytes ? spellBytes(amount) : amount.toLocaleString();
}

const UNITS = ["TiB", "GiB", "MiB", "KiB"] as const;

/** A size as the API reads it back, to the byte: `16GiB`, `1000`. */
export function typedSize(bytes: number): string {
  for (const [index, unit] of UNITS.entries()) {
    const one = 1024 ** (UNITS.length - index);
    if (bytes > 0 && bytes % one === 0) return `${bytes / one}${unit}`;
  }
  return String(bytes);
}

/** What an owner's limits are, as text in the fields of a form. */
export function typedLimits(limits: Omit<Limits, "owner" | "updated_at">): Record<Field, string> {
  const typed = FIELDS.map(({ key, isSize }) => {
    const limit = limits[key];
    return [key, limit === null ? "" : isSize ? typedSize(limit) : String(limit)];
  });
  return Object.fromEntries(typed);
}

/** What is typed as limits to be sent: left empty is the default. What is no number the API reads, or says what is wrong with it. */
export function readLimits(typed: Readonly<Record<Field, string>>): NewLimits {
  const read = FIELDS.flatMap(({ key }) => {
    const text = typed[key].trim();
    if (text === "") return [];
    const isNumber = /^\d+(\.\d+)?$/.test(text);
    return [[key, isNumber ? Number(text) : text.replaceAll(" ", "")]];
  });
  return Object.fromEntries(read);
}

/** The limits of an owner's own, in a few words. */
export function spellLimits(limits: Limits): string {
  const parts = FIELDS.flatMap(({ key, label, isSize }) => {
    const limit = limits[key];
    return limit === null ? [] : [`${label}: ${spellAmount(limit, isSize)}`];
  });
  return parts.join(" · ");
}
