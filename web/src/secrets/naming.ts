const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** What is wrong with the name of a secret before the API is asked; null if nothing is. */
export function nameFault(name: string, taken: readonly string[]): string | null {
  if (name !== "" && !NAME.test(name))
    return "Letters, digits, dots, dashes and underscores, up to 100; the first a letter or a digit.";
  return taken.includes(name) ? "There is one of this name: replace its value in the list." : null;
}

/** Names of the stored secrets that something to be submitted refers to, wherever in it. */
export function secretsIn(target: unknown): Set<string> {
  const names = new Set<string>();
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, each] of Object.entries(value)) {
      if (key === "named_secrets") for (const name of referredIn(each)) names.add(name);
      else look(each);
    }
  };
  look(target);
  return names;
}

/** `{"HUB_TOKEN": {"name": "hub-token"}}` has `hub-token`. */
function referredIn(references: unknown): string[] {
  if (typeof references !== "object" || references === null) return [];
  return Object.values(references).flatMap((each: unknown) =>
    typeof each === "object" && each !== null && "name" in each && typeof each.name === "string"
      ? [each.name]
      : [],
  );
}
