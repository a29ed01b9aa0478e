import { expect, test } from "vitest";
import { answerOf, ENDS, spellEvents, spellFilter, standingOf, type Webhook } from "./sending";

const NOW = Date.parse("2026-01-15T10:00:00Z");
const WEBHOOK: Webhook = {
  id: "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44",
  owner: "ann",
  execution: null,
  batch: null,
  url: "https://example.com/hook",
  events: [...ENDS],
  pools: [],
  methods: [],
  labels: {},
  enabled: true,
  disabled_reason: null,
  description: null,
  failures: 0,
  failing_since: null,
  paused_until: null,
  dropped: 0,
  signed: true,
  secret_before_until: null,
  created_at: "2026-01-15T09:00:00Z",
  updated_at: "2026-01-15T09:00:00Z",
};

test("Events are spelled shortly", () => {
  expect(spellEvents(ENDS)).toBe("Every end");
  expect(spellEvents([...ENDS, "batch.ended"])).toBe("Every end, end of a batch");
  expect(spellEvents(["execution.timed_out", "webhook.ping"])).toBe("Timed out, webhook.ping");
});

test("A filter is one sentence", () => {
  expect(spellFilter(WEBHOOK)).toBe("Of what is theirs");
  const narrow = {
    ...WEBHOOK,
    owner: "*",
    pools: ["a", "b"],
    methods: ["report"],
    labels: { team: "x", sure: "" },
  };
  expect(spellFilter(narrow)).toBe("Of all owners, in a or b, of report, with team=x and sure=");
});

test("The worst of how it stands is said", () => {
  expect(standingOf(WEBHOOK, NOW).word).toBe("Enabled");
  expect(standingOf({ ...WEBHOOK, failures: 1 }, NOW)).toMatchObject({
    word: "Failing",
    why: "The last try failed.",
  });
  const resting = { ...WEBHOOK, failures: 5, paused_until: "2026-01-15T10:01:00Z" };
  expect(standingOf(resting, NOW).word).toBe("Left alone");
  expect(standingOf(resting, NOW + 120_000).word).toBe("Failing");
  expect(standingOf({ ...resting, enabled: false, disabled_reason: "410 Gone" }, NOW)).toEqual({
    word: "Disabled",
    tone: "bad",
    why: "410 Gone",
  });
});

test("A try says what was answered, or why nothing was", () => {
  const tried = { at: "2026-01-15T10:00:00Z", status: 503, error: null, response: "later", seconds: 0.1 };
  expect(answerOf(tried)).toBe("Answered 503");
  expect(answerOf({ ...tried, status: null, error: "no such host" })).toBe("no such host");
});
