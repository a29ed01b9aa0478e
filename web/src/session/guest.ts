/**
 * Guests have come by a share: they see one execution, and have no session, even if their browser has one.
 * A tab is a guest's for as long as it is loaded.
 */

const PAGE = "/shared/";
const KEY = /^#?(trs_[\w-]+)/;

interface Guest {
  token: string;
  /** By its id the API knows which cookie it is, where no header can be sent. Null until it has set that. */
  share: string | null;
}

let guest: Guest | null = null;

/** Whether a page is one for guests. */
export function isForGuests(pathname: string): boolean {
  return pathname.startsWith(PAGE);
}

/** The token of a share, where an address has it: behind `#`, which a browser sends to nobody. Empty if it is not there. */
export function keyOf(hash: string): string {
  return KEY.exec(hash)?.[1] ?? "";
}

/** What comes behind `#`, where this is named there: the token stays before it. */
export function keepingKey(hash: string, named: string): string {
  return [keyOf(hash), named].filter(Boolean).join("/");
}

/** From now on all that is asked for is asked for by the share in the address, and by nothing else. */
export function beGuest(hash: string): void {
  guest = { token: keyOf(hash), share: null };
}

/** Another link, put into the address bar of the same tab: only what is behind # is another. */
export function heedOtherLinks(): void {
  addEventListener("hashchange", () => {
    const key = keyOf(location.hash);
    if (key && key !== guestToken()) location.reload();
  });
}

/** The API knows which share it is, and has set its cookie. */
export function openedBy(share: string): void {
  if (guest) guest.share = share;
}

export function isGuest(): boolean {
  return guest !== null;
}

/** What a guest says with every request; null for all others, whom their session names. */
export function guestToken(): string | null {
  return guest?.token ?? null;
}

/** An address of the API as it is for whoever looks at this page: a guest's names the share, and never its token. */
export function asSeen(address: string): string {
  if (!guest?.share) return address;
  return `${address}${address.includes("?") ? "&" : "?"}share=${guest.share}`;
}
