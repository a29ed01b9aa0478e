/** Where a child stands in a drawing of who needs whom. */
export interface Place {
  key: string;
  column: number;
  row: number;
}

/** Columns by depth: each child stands behind all that it needs, in rows by their order. What is in a ring stands first. */
export function placesOf(needs: ReadonlyMap<string, readonly string[]>): Place[] {
  const depths = new Map<string, number>();
  const depthOf = (key: string): number => {
    const known = depths.get(key);
    if (known !== undefined) return known;
    depths.set(key, 0);
    const own = (needs.get(key) ?? []).filter((each) => needs.has(each));
    const depth = own.length > 0 ? 1 + Math.max(...own.map(depthOf)) : 0;
    depths.set(key, depth);
    return depth;
  };
  const filled = new Map<number, number>();
  return [...needs.keys()].map((key) => {
    const column = depthOf(key);
    const row = filled.get(column) ?? 0;
    filled.set(column, row + 1);
    return { key, column, row };
  });
}
