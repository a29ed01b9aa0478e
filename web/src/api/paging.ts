interface Paged<Item> {
  items: Item[];
  next: string | null;
}

/** All items of a list, by following `next`; for what is bounded, such as the schedules of an owner. */
export async function everyPage<Item>(
  fetch: (cursor: string | null) => Promise<Paged<Item>>,
): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | null = null;
  do {
    const page: Paged<Item> = await fetch(cursor);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== null);
  return items;
}
