import type { AnyRouter } from "@tanstack/react-router";

/** Open what a `PageLink` leads to without loading the monitor anew, and begin to fetch it when it is pointed at. */
export function followLinks(router: AnyRouter): void {
  document.addEventListener("click", (event) => {
    const to = linkOf(event);
    if (!to || event.defaultPrevented || !isPlain(event)) return;
    event.preventDefault();
    router.history.push(to);
  });
  document.addEventListener("pointerover", (event) => {
    const to = linkOf(event);
    if (to) void router.preloadRoute({ to });
  });
}

function linkOf({ target }: Event): string | null {
  const link = target instanceof Element ? target.closest("a[data-page]") : null;
  return link ? link.getAttribute("href") : null;
}

/** Whether it is meant to open here, not in another tab. */
function isPlain({ button, metaKey, ctrlKey, shiftKey, altKey }: MouseEvent): boolean {
  return button === 0 && !metaKey && !ctrlKey && !shiftKey && !altKey;
}
