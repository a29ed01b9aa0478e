const MOST = 8;

/** The names of those inputs in which many differ, in their order, and at most a few: what a sweep is about. */
export function varying(inputs: readonly { readonly [name: string]: unknown }[]): string[] {
  const names = [...new Set(inputs.flatMap((each) => Object.keys(each)))];
  return names
    .filter((name) => new Set(inputs.map((each) => JSON.stringify(each[name]))).size > 1)
    .slice(0, MOST);
}
