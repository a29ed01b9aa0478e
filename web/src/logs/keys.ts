import { type RefObject, useEffect, useRef } from "react";

export type Keys = Record<string, () => void>;

/** Keys of the log while nobody types, nor is anywhere else in the page; its own go before the page's. */
export function useKeys(root: RefObject<HTMLElement | null>, keys: Keys): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    function press(event: KeyboardEvent): void {
      const { target } = event;
      if (event.ctrlKey || event.metaKey || event.altKey || !(target instanceof HTMLElement)) return;
      if (target.closest("input, textarea, select, [contenteditable], [role=dialog], [role=menu]")) return;
      const act =
        root.current?.offsetParent && isOurs(target, event.key) ? latest.current[event.key] : undefined;
      if (!act) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      act();
    }
    // The arrows, Home and End of tabs are their own.
    function isOurs(target: HTMLElement, key: string): boolean {
      if (target === document.body || target.id === "main" || root.current?.contains(target)) return true;
      return key.length === 1 && target.getAttribute("role") === "tab";
    }
    addEventListener("keydown", press, { capture: true });
    return () => removeEventListener("keydown", press, { capture: true });
  }, [root]);
}
