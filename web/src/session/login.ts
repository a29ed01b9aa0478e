import { isGuest } from "./guest";

/** What the tabs of one browser tell each other when somebody leaves. */
const tabs = new BroadcastChannel("session");
const listeners = new Set<() => void>();
let isOver = false;
let isLeaving = false;

tabs.onmessage = leave;

/** An answer said that there is no session. Whoever works here is asked to log in again in place, so that nothing
 * that was typed is lost; whoever has only just come goes to the page for it, and from there back. Guests have none, and stay. */
export function sessionEnded(): void {
  if (isLeaving || isOver || isGuest()) return;
  if (listeners.size === 0) leave();
  else become(true);
}

/** There is a session again. */
export function sessionBegun(): void {
  become(false);
}

/** Hear of `hasSessionEnded`. While somebody does, nobody is sent away. */
export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function hasSessionEnded(): boolean {
  return isOver;
}

/** To the page that begins a session, and from there back to where we are. */
export function leave(): void {
  if (isLeaving || isGuest()) return;
  isLeaving = true;
  const here = location.pathname + location.search + location.hash;
  location.assign(`/login?next=${encodeURIComponent(here)}`);
}

/** End the session by what is given, and stay away, in every tab. */
export async function leaveBy(end: () => Promise<unknown>): Promise<void> {
  // The API ends with the session what is open by it, which is no reason to come back here.
  isLeaving = true;
  try {
    await end();
  } catch (error) {
    isLeaving = false;
    throw error;
  }
  tabs.postMessage("left");
  location.assign("/login");
}

function become(over: boolean): void {
  isOver = over;
  for (const listener of listeners) listener();
}
