import { useLocalStorage } from "@mantine/hooks";
import type { ListSearch, Shelf } from "./search";

/** A list that somebody wants to come back to, by a name. */
export interface View {
  name: string;
  search: ListSearch;
}

/** The views that were saved in this browser. */
export function useViews(shelf: Shelf) {
  const [views, setViews] = useLocalStorage<View[]>({ key: `tailrace-views-${shelf}`, defaultValue: [] });
  return {
    views,
    save: (view: View) => setViews((all) => [...all.filter(({ name }) => name !== view.name), view]),
    forget: (name: string) => setViews((all) => all.filter((each) => each.name !== name)),
  };
}

/** The columns that are shown in this browser. */
export function useShownColumns(usual: readonly string[]) {
  return useLocalStorage<string[]>({
    key: "tailrace-columns",
    defaultValue: [...usual],
    getInitialValueInEffect: false,
  });
}
