/** Labels as people write them, `key=value`. Pure. */

export function labelText([key, value]: [string, string]): string {
  return value ? `${key}=${value}` : key;
}

/** The merge patch that makes labels be these: null takes one away. */
export function labelPatch(
  texts: readonly string[],
  before: Readonly<Record<string, string>>,
): Record<string, string | null> {
  const wanted = new Map(texts.map(read));
  const gone = Object.keys(before).filter((key) => !wanted.has(key));
  const changed = [...wanted].filter(([key, value]) => before[key] !== value);
  return Object.fromEntries([...gone.map((key) => [key, null] as const), ...changed]);
}

function read(text: string): [string, string] {
  const cut = text.indexOf("=");
  return cut < 0 ? [text.trim(), ""] : [text.slice(0, cut).trim(), text.slice(cut + 1).trim()];
}
