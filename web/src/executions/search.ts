import { type Cause, type Execution, hasEnded, type Schemas, STATUSES, type Status } from "../api/types";
import { CAUSE } from "../ui/statuses";

type Sort = Schemas["Sort"];
export type Shelf = "live" | "archive";

/** What a list may be narrowed to, as it stands in the address of its page. */
export interface ListSearch {
  q?: string;
  status?: Status[];
  cause?: Cause[];
  method?: string[];
  pool?: string[];
  owner?: string[];
  label?: string[];
  source?: string[];
  image?: string;
  batch?: string;
  schedule?: string;
  rerun_of?: string;
  resumed_from?: string;
  created_after?: string;
  created_before?: string;
  finished_after?: string;
  finished_before?: string;
  min_duration?: number;
  max_duration?: number;
  has_warnings?: boolean;
  sort?: Sort;
}

const SORTS: readonly Sort[] = ["created", "-created", "finished", "-finished", "duration", "-duration"];

export const NEWEST_FIRST: Sort = "-created";

/** What each may be; undefined where it is none of that. */
const READERS: { [Name in keyof ListSearch]-?: (value: unknown) => ListSearch[Name] } = {
  q: word,
  status: (value) => nonEmpty(words(value)?.filter(isStatus)),
  cause: (value) => nonEmpty(words(value)?.filter(isCause)),
  method: words,
  pool: words,
  owner: words,
  label: words,
  source: words,
  image: word,
  batch: word,
  schedule: word,
  rerun_of: word,
  resumed_from: word,
  created_after: word,
  created_before: word,
  finished_after: word,
  finished_before: word,
  min_duration: amount,
  max_duration: amount,
  has_warnings: (value) => (typeof value === "boolean" ? value : undefined),
  sort: (value) => SORTS.find((each) => each === value && each !== NEWEST_FIRST),
};

/** From an address that anybody may have written: what is none of these is left out. */
export function readSearch(raw: Record<string, unknown>): ListSearch {
  const read = Object.entries(READERS).map(([name, reader]) => [name, reader(raw[name])] as const);
  return Object.fromEntries(read.filter(([, value]) => value !== undefined));
}

/** The filters alone, as `POST /v1/executions:cancel` and its like take them. */
export function filterBody(
  { sort: _, label, ...filters }: ListSearch,
  shelf: Shelf,
): Partial<Schemas["CancelMany"]> {
  const labels = label && Object.fromEntries(label.map(splitLabel));
  const body = { ...filters, ...(labels && { label: labels }), archived: archivedOf(shelf) };
  // What is sent is what the list is narrowed to; with nothing of that, all of it has to be meant.
  return hasFilters({ ...filters, ...(label && { label }) }) ? body : { ...body, all: true };
}

/** A shelf as the API calls it: its parameter `archived`. */
export function archivedOf(shelf: Shelf): Schemas["Shelf"] {
  return shelf === "archive" ? "true" : "false";
}

/** Whether the list is narrowed at all. */
export function hasFilters({ sort: _, ...filters }: ListSearch): boolean {
  return Object.values(filters).some((value) => value !== undefined);
}

/** Whether a record that changed is still in the list, as far as can be told here; the API has the last word. */
export function belongs(record: Execution, search: ListSearch, shelf: Shelf): boolean {
  if ((record.archived_at !== null) !== (shelf === "archive")) return false;
  if (search.status && !search.status.includes(record.status)) return false;
  if (search.cause && !(record.cause && search.cause.includes(record.cause))) return false;
  return !search.sort?.endsWith("finished") || hasEnded(record.status);
}

/** `key=value`, or `key` for any value; a `=` in a key is written `\=`. */
function splitLabel(label: string): [string, string | null] {
  const [, key = "", value] = /^((?:[^=\\]|\\.)*)(?:=(.*))?$/su.exec(label) ?? [label, label];
  return [key.replace(/\\(.)/g, "$1"), value ?? null];
}

function word(value: unknown): string | undefined {
  return isScalar(value) && value !== "" ? String(value) : undefined;
}

function words(value: unknown): string[] | undefined {
  return nonEmpty([value].flat().flatMap((each) => word(each) ?? []));
}

function amount(value: unknown): number | undefined {
  const number = Number(word(value) ?? Number.NaN);
  return Number.isFinite(number) && number >= 0 ? number : undefined;
}

function nonEmpty<Item>(items: Item[] | undefined): Item[] | undefined {
  return items && items.length > 0 ? items : undefined;
}

function isScalar(value: unknown): value is string | number | boolean {
  return ["string", "number", "boolean"].includes(typeof value);
}

function isCause(value: string): value is Cause {
  return Object.hasOwn(CAUSE, value);
}

function isStatus(value: string): value is Status {
  return (STATUSES as readonly string[]).includes(value);
}
