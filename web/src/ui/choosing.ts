import { type KeyboardEvent, useCallback, useEffect, useRef } from "react";

/** Which rows are chosen, by their keys. */
export interface Selection {
  chosen: ReadonlySet<string>;
  onChange: (chosen: ReadonlySet<string>) => void;
}

/** Tells that a row is chosen or not; with `asRange` also all between it and the one before. */
export type Choose = (key: string, isChosen: boolean, asRange: boolean) => void;

/** What is in the way of the keys of a list: where one types, and what a browser or a screen reader listens to. */
const TYPING = "input:not([type=checkbox]), textarea, select, [contenteditable]";

/** How rows are chosen: always the same functions, so that no row is drawn again for them. */
export function useChoosing(selection: Selection | undefined, keys: () => readonly string[]) {
  const latest = useRef({ selection, keys });
  const anchor = useRef<string | null>(null);
  useEffect(() => {
    latest.current = { selection, keys };
  });
  const onChoose: Choose = useCallback((key, isChosen, asRange) => {
    const { selection, keys } = latest.current;
    const meant = asRange && anchor.current !== null ? between(keys(), anchor.current, key) : [key];
    const chosen = new Set(selection?.chosen);
    for (const each of meant) {
      if (isChosen) chosen.add(each);
      else chosen.delete(each);
    }
    anchor.current = key;
    selection?.onChange(chosen);
  }, []);
  return onChoose;
}

/** All from one to the other, in their order; the second alone if the first is not there any more. */
export function between(keys: readonly string[], from: string, to: string): readonly string[] {
  const [a, b] = [keys.indexOf(from), keys.indexOf(to)];
  return a < 0 || b < 0 ? [to] : keys.slice(Math.min(a, b), Math.max(a, b) + 1);
}

/** Arrows and `j`, `k` go from row to row, with shift choosing; `x` chooses, Enter opens, Escape chooses none. */
export function steer(event: KeyboardEvent<HTMLElement>, onNone: () => void): void {
  const { key, target, currentTarget: list } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (!(target instanceof HTMLElement) || target.closest(TYPING)) return;
  const row = target.closest<HTMLElement>("[data-row]");
  const step = STEPS[key];
  // Outside of rows, arrows scroll.
  const next = step && (row || !key.startsWith("Arrow")) ? neighbour(list, row, step) : null;
  if (next) {
    event.preventDefault();
    goTo(next, event.shiftKey);
  } else if (row) {
    const box = boxOf(row);
    if (key === "x") box?.click();
    if (key === "Enter" && target === box) row.querySelector<HTMLElement>("a[href]")?.click();
  }
  if (key === "Escape") onNone();
}

const STEPS: Partial<Record<string, 1 | -1>> = { ArrowDown: 1, j: 1, J: 1, ArrowUp: -1, k: -1, K: -1 };

function goTo(row: HTMLElement, chooses: boolean): void {
  const box = boxOf(row);
  (box ?? row.querySelector("a"))?.focus();
  if (chooses && box && !box.checked) box.click();
}

/** The next row that is drawn; the first in sight where none has the focus. */
function neighbour(list: HTMLElement, row: HTMLElement | null, step: 1 | -1): HTMLElement | null {
  const rows = [...list.querySelectorAll<HTMLElement>("[data-row]")];
  if (row) return rows[rows.indexOf(row) + step] ?? null;
  const { top } = list.getBoundingClientRect();
  return rows.find((each) => each.getBoundingClientRect().top >= top + HEAD_HEIGHT) ?? null;
}

const HEAD_HEIGHT = 30;

function boxOf(row: HTMLElement): HTMLInputElement | null {
  return row.querySelector<HTMLInputElement>("input[type=checkbox]");
}
