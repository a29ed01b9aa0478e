import { isGuest } from "./guest";

let isLeaving = false;

/** To the page that begins a session, and from there back to where we are. Guests have none, and stay. */
export function goToLogin(): void {
  if (isLeaving || isGuest()) return;
  isLeaving = true;
  const here = location.pathname + location.search + location.hash;
  location.assign(`/login?next=${encodeURIComponent(here)}`);
}

/** End the session by what is given, and stay away. */
export async function leaveBy(end: () => Promise<unknown>): Promise<void> {
  // The API ends with the session what is open by it, which is no reason to come back here.
  isLeaving = true;
  try {
    await end();
  } catch (error) {
    isLeaving = false;
    throw error;
  }
  location.assign("/login");
}
