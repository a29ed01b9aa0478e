/** The part of an address behind `?`, with lists as repeated names: `status=queued&status=running`. */
export function stringifySearch(search: Record<string, unknown>): string {
  const pairs = Object.entries(search).flatMap(([name, value]) => {
    if (value === undefined || value === null) return [];
    if (isWords(value)) return value.map((word) => [name, word]);
    return [[name, spelled(value)]];
  });
  const said = new URLSearchParams(pairs).toString();
  return said && `?${said}`;
}

/** What `stringifySearch` has written, or a person. */
export function parseSearch(address: string): Record<string, unknown> {
  const said = new URLSearchParams(address);
  const search: Record<string, unknown> = {};
  for (const name of new Set(said.keys())) {
    const values = said.getAll(name);
    search[name] = values.length > 1 ? values : meant(values[0] ?? "");
  }
  return search;
}

/** Numbers, truth and what stands in quotes; all else is words. */
function meant(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** Words stand as they are, unless they would be read as something else. */
function spelled(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value);
  try {
    JSON.parse(value);
  } catch {
    return value;
  }
  return JSON.stringify(value);
}

function isWords(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === "string");
}
