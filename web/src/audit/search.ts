/** What the log is narrowed to, as it stands in the address of its page, by the names of the API. */
export interface AuditSearch {
  actor?: string;
  owner?: string;
  action?: string;
  object?: string;
  token?: string;
  refused?: boolean;
  since?: string;
  until?: string;
}

const TEXTS = ["actor", "owner", "action", "object", "token", "since", "until"] as const;

export const NAMES: Record<keyof AuditSearch, string> = {
  actor: "Who",
  owner: "Whose",
  action: "What",
  object: "Of what",
  token: "Token",
  refused: "Outcome",
  since: "Since",
  until: "Until",
};

/** From an address that anybody may have written: what is none of these is left out. */
export function readSearch(raw: Record<string, unknown>): AuditSearch {
  const said = TEXTS.flatMap((name) => {
    const value = raw[name];
    return typeof value === "string" || typeof value === "number" ? [[name, String(value)] as const] : [];
  }).filter(([, value]) => value !== "");
  const { refused } = raw;
  return { ...Object.fromEntries(said), ...(typeof refused === "boolean" && { refused }) };
}

/** The same with some of it changed; undefined takes away. */
export function changed(
  search: AuditSearch,
  part: { [Name in keyof AuditSearch]?: AuditSearch[Name] | undefined },
): AuditSearch {
  return readSearch({ ...search, ...part });
}

/** What a filter says, as people read it. */
export function spellFilter(name: keyof AuditSearch, value: string | boolean): string {
  if (name === "refused") return value ? "refused" : "done";
  if (name === "since" || name === "until") return new Date(String(value)).toLocaleString();
  return String(value);
}

/** The address from which all that fits comes as one file. */
export function exportAddress(search: AuditSearch, format: "csv" | "ndjson"): string {
  const pairs = Object.entries(search).map(([name, value]) => [name, String(value)]);
  return `/v1/audit/export?${new URLSearchParams([...pairs, ["format", format]])}`;
}
