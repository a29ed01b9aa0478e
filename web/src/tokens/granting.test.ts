import { expect, test } from "vitest";
import {
  descendantsOf,
  endsWith,
  givable,
  type Kind,
  stateOf,
  type Token,
  termsFor,
  toldOf,
} from "./granting";

const NOW = Date.parse("2026-01-15T10:00:00Z");

function token(id: string, made_by: string | null = null, kind: Kind = "token"): Token {
  return {
    id,
    kind,
    name: "a token",
    owner: "ann",
    scopes: ["read"],
    role: "viewer",
    created_at: "2026-01-15T09:00:00Z",
    expires_at: null,
    revoked_at: null,
    last_used_at: null,
    made_by,
  };
}

const FAMILY = [token("root"), token("child", "root"), token("grandchild", "child"), token("other")];

test("Descendants are those of descendants, too, and a circle ends", () => {
  expect(descendantsOf("root", FAMILY).map(({ id }) => id)).toEqual(["child", "grandchild"]);
  expect(descendantsOf("other", FAMILY)).toEqual([]);
  const circle = [token("a", "b"), token("b", "a")];
  expect(descendantsOf("a", circle).map(({ id }) => id)).toEqual(["b"]);
});

test("It is known beforehand that one's own session ends", () => {
  const tokens = [...FAMILY, token("mine", "child", "session")];
  expect(endsWith("mine", "child", tokens, false)).toBe(true);
  expect(endsWith("mine", "root", tokens, false)).toBe(false);
  expect(endsWith("mine", "root", tokens, true)).toBe(true);
  expect(endsWith("mine", "other", tokens, true)).toBe(false);
  expect(endsWith(null, "root", tokens, true)).toBe(false);
});

test("Nobody gives more than they have", () => {
  expect(givable(["read", "cancel"])).toEqual(["read", "cancel"]);
  expect(givable(["admin"])).toEqual(["read", "submit", "cancel", "admin"]);
  expect(termsFor("2026-01-15T22:00:00Z", false, NOW)).toEqual([]);
  expect(termsFor("2026-01-23T10:00:00Z", false, NOW).map(({ label }) => label)).toEqual(["A day", "A week"]);
  expect(termsFor("2026-01-15T22:00:00Z", true, NOW)).toHaveLength(5);
});

test("A token is over when it was revoked or its time has come", () => {
  expect(stateOf({ revoked_at: null, expires_at: null }, NOW)).toBe("valid");
  expect(stateOf({ revoked_at: null, expires_at: "2026-01-15T10:00:00Z" }, NOW)).toBe("expired");
  expect(stateOf({ revoked_at: "2026-01-15T09:30:00Z", expires_at: null }, NOW)).toBe("revoked");
});

test("What has gone is counted", () => {
  const none = { tokens: [], shares: [], schedules: [], triggers: [], webhooks: [], notifications: [] };
  expect(toldOf(none)).toBe("Nothing of it was left to end.");
  expect(toldOf({ ...none, tokens: ["a", "b"], webhooks: ["c"] })).toBe(
    "Ended or switched off: 2 tokens, 1 webhook.",
  );
});
