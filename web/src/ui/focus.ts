/** What has a life of its own above the page, and goes again with the focus in it. */
const ABOVE = '[role="dialog"], [role="menu"], [role="listbox"]';

let last: HTMLElement | null = null;

/** Remember where in the page the focus was last. Once per tab. */
export function followFocus(): void {
  document.addEventListener("focusin", ({ target }) => {
    if (target instanceof HTMLElement && !target.closest(ABOVE)) last = target;
  });
}

/** Whether nothing has the focus, so that keys would begin at the top of the page. */
export function isFocusLost(): boolean {
  return document.activeElement === null || document.activeElement === document.body;
}

/** Back to where the focus was, if it went away with what it was in. */
export function giveFocusBack(): void {
  if (isFocusLost() && last?.isConnected) last.focus({ preventScroll: true });
}
