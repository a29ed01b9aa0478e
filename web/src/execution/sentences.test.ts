import { describe, expect, it } from "vitest";
import type { Execution } from "../api/types";
import { clocksOf } from "./clocks";
import { labelPatch } from "./labels";
import { patchOf } from "./limits";
import { recordWith } from "./record.fixture";
import { readSearch } from "./search";
import { commandLine, exactBytes, withoutEscapes } from "./spelling";
import { expectationSentence, placeSentence, sentenceOf } from "./standing";

const NOW = Date.parse("2026-01-01T00:01:00Z");
const PAUSE = { by: "ann", requested_at: "2026-01-01T00:00:00Z", paused_at: null, resume_by: null };

describe("how it stands, in a sentence", () => {
  const cases: [Partial<Execution>, string][] = [
    [{ status: "queued", waiting_on: "pool" }, "No worker takes work from its pool, default"],
    [
      { status: "queued", waiting_on: "not_before", not_before: "2026-01-01T00:03:05Z" },
      "Waits for its time",
    ],
    [{ status: "preparing", phase: "pulling" }, "Pulling its image"],
    [{ status: "running" }, "Its program runs"],
    [
      { status: "running", pause: { ...PAUSE, mode: "checkpoint" } },
      "ann asked to pause it: it saves its checkpoint",
    ],
    [
      { status: "paused", pause: { ...PAUSE, mode: "freeze" } },
      "Paused by ann: it stands still in memory, and keeps its slot",
    ],
    [
      {
        status: "stopping",
        stop: { by: "ann", reason: "cancel", requested_at: "", deadline: "2026-01-01T00:01:08Z" },
      },
      "ann asked it to stop",
    ],
    [
      {
        status: "stopping",
        stop: { by: "ann", reason: "timeout", requested_at: "", deadline: "2026-01-01T00:00:58Z" },
      },
      "Its time is over; it is being killed",
    ],
    [{ status: "failed", cause: "exit_nonzero", message: "Exit code 7." }, "Exit code 7."],
    [{ status: "failed", cause: "exit_nonzero" }, "Ended with an exit code other than 0"],
  ];
  it.each(cases)("%o", (fields, sentence) => {
    expect(sentenceOf(recordWith(fields), NOW)).toBe(sentence);
  });

  it("has its place and what is usual", () => {
    expect(placeSentence(recordWith({ queue_position: 1 }))).toBe("It is next.");
    // Nobody is there to take what is next.
    expect(placeSentence(recordWith({ queue_position: 1, waiting_on: "pool", pool: "gpu" }))).toBe(
      "It starts as soon as one does: a worker with `TAILRACE_POOL=gpu`.",
    );
    expect(placeSentence(recordWith({ queue_position: 3 }))).toBe(
      "Place 3 in the queue: 2 others would be started first.",
    );
    expect(placeSentence(recordWith({}))).toBeNull();
    expect(expectationSentence(recordWith({ expected_seconds: 90, expected_seconds_p90: 200 }))).toBe(
      "Usually runs for 1 min 30 s, nine of ten no longer than 3 min 20 s.",
    );
  });
});

describe("clocks", () => {
  it("are those that run", () => {
    expect(clocksOf(recordWith({ status: "running", deadline: "2026-01-01T00:02:00Z" }), NOW)).toEqual([
      { limit: "timeout", word: "It may run for another", of: 3600, left: 60 },
    ]);
    expect(clocksOf(recordWith({ status: "paused", deadline: null }), NOW)).toEqual([]);
  });

  it("of waiting stands still while it may not be started", () => {
    const limits = { ...recordWith({}).limits, queue_timeout: 100 };
    const [waiting] = clocksOf(recordWith({ limits, waiting_on: "slot" }), NOW);
    expect(waiting?.left).toBe(40);
    expect(clocksOf(recordWith({ limits, waiting_on: "hold" }), NOW)).toEqual([]);
  });
});

describe("changed limits", () => {
  const { limits } = recordWith({});

  it("are those that differ, as the API takes them", () => {
    expect(patchOf({}, limits)).toBeNull();
    expect(patchOf({ timeout: "3600", memory: "512MiB" }, limits)).toBeNull();
    expect(patchOf({ timeout: "7200", idle_timeout: "30", memory: "1GiB", cpus: "0.5" }, limits)).toEqual({
      timeout: 7200,
      idle_timeout: 30,
      memory: "1GiB",
      cpus: 0.5,
    });
  });

  it("bring the default back where they are emptied, and let the API judge nonsense", () => {
    expect(patchOf({ timeout: "" }, limits)).toEqual({ timeout: null });
    expect(patchOf({ timeout: "soon" }, limits)).toEqual({ timeout: "soon" });
  });
});

it("patches labels one by one", () => {
  const before = { team: "a", tier: "b" };
  expect(labelPatch(["team=a", "x=1=2", "bare"], before)).toEqual({ tier: null, x: "1=2", bare: "" });
  expect(labelPatch(["team=a", "tier=b"], before)).toEqual({});
});

it("reads the address of the page, whatever stands there", () => {
  expect(readSearch({ tab: "outputs", path: "a/b" })).toEqual({ tab: "outputs", path: "a/b" });
  expect(readSearch({ tab: "nonsense", path: 7 })).toEqual({});
  expect(readSearch({ tab: "log" })).toEqual({});
});

it("writes commands as a shell reads them", () => {
  expect(commandLine(["sh", "-c", "echo 'hi' $HOME", ""])).toBe(`sh -c 'echo '\\''hi'\\'' $HOME' ''`);
});

it("writes sizes so that they read back as the same", () => {
  expect([0, 1000, 1024, 536_870_912, 3 * 2 ** 30].map(exactBytes)).toEqual([
    "0",
    "1000",
    "1KiB",
    "512MiB",
    "3GiB",
  ]);
});

it("takes out of a text what a terminal would obey", () => {
  expect(withoutEscapes("\u001b[31mred\u001b[0m \u001b]0;title\u0007plain\r\nnext\u0000\u0008")).toBe(
    "red plain\nnext",
  );
});
