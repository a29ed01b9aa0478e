import type { Schemas, Scope } from "../api/types";

export type Token = Schemas["TokenView"];
export type Role = Schemas["Role"];
export type Kind = Schemas["TokenKind"];

const KINDS: readonly unknown[] = ["token", "session", "oidc"] satisfies Kind[];

export function isKind(value: unknown): value is Kind {
  return KINDS.includes(value);
}

/** What each scope is for, in a few words. */
export const SCOPES: Record<Scope, string> = {
  read: "See what is yours",
  submit: "Submit and define: executions, methods, schedules, webhooks",
  cancel: "Stop, pause, change, archive and delete executions",
  admin: "All of it, for everybody; workers, pools and quotas",
};

export const ROLES: Record<Role, Scope[]> = {
  viewer: ["read"],
  operator: ["read", "submit", "cancel"],
  admin: ["read", "submit", "cancel", "admin"],
};

const DAY = 86_400;

/** For how long a token may be valid. */
const TERMS = [
  { label: "A day", seconds: DAY },
  { label: "A week", seconds: 7 * DAY },
  { label: "30 days", seconds: 30 * DAY },
  { label: "90 days", seconds: 90 * DAY },
  { label: "A year", seconds: 365 * DAY },
] as const;

/** The terms that may be given by who comes with what ends at `ends`; nobody but an admin gives for longer. */
export function termsFor(
  ends: string | null,
  isAdmin: boolean,
  now: number,
): readonly (typeof TERMS)[number][] {
  if (isAdmin || ends === null) return TERMS;
  return TERMS.filter(({ seconds }) => now + seconds * 1000 < Date.parse(ends));
}

/** Scopes that somebody with these may give: nobody gives more than they have. */
export function givable(own: readonly Scope[]): Scope[] {
  return ROLES.admin.filter((scope) => own.includes(scope) || own.includes("admin"));
}

/** How one is called in a sentence. All sessions have the same name. */
export function titleOf({ kind, name, owner }: Pick<Token, "kind" | "name" | "owner">): string {
  return kind === "session" ? `the session of ${owner}` : name;
}

/** How a token stands at a moment. */
export function stateOf(
  { revoked_at, expires_at }: Pick<Token, "revoked_at" | "expires_at">,
  now: number,
): "valid" | "revoked" | "expired" {
  if (revoked_at) return "revoked";
  return expires_at && Date.parse(expires_at) <= now ? "expired" : "valid";
}

/** Of those that are known, the ones that were made with this token, and with what that made. */
export function descendantsOf(id: string, tokens: readonly Token[]): Token[] {
  const found: Token[] = [];
  const seen = new Set([id]);
  const looked = [id];
  for (let maker = looked.pop(); maker !== undefined; maker = looked.pop())
    for (const token of tokens)
      if (token.made_by === maker && !seen.has(token.id)) {
        seen.add(token.id);
        found.push(token);
        looked.push(token.id);
      }
  return found;
}

/** Whether the token in use would end with this one: it is that, or its session is of that. */
export function endsWith(
  mine: string | null,
  id: string,
  tokens: readonly Token[],
  isDeep: boolean,
): boolean {
  if (mine === null) return false;
  if (mine === id) return true;
  const used = tokens.find((token) => token.id === mine);
  const isSession = used?.kind === "session" && used.made_by === id;
  return isSession || (isDeep && descendantsOf(id, tokens).some((token) => token.id === mine));
}

const NOUNS = ["tokens", "shares", "schedules", "triggers", "webhooks", "notifications"] as const;

/** What has ended with a token, as a sentence each: revoked, and switched off. */
export function toldOf(ended: Schemas["RevokedView"]): string {
  const parts = NOUNS.flatMap((noun) => {
    const n = ended[noun].length;
    return n > 0 ? [`${n} ${n === 1 ? noun.slice(0, -1) : noun}`] : [];
  });
  return parts.length > 0 ? `Ended or switched off: ${parts.join(", ")}.` : "Nothing of it was left to end.";
}
