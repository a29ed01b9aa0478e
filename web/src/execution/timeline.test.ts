import { describe, expect, it } from "vitest";
import type { Schemas, Status } from "../api/types";
import { tickLabel, ticks, timelineOf } from "./timeline";

const BEGIN = Date.parse("2026-01-01T00:00:00Z");
const at = (seconds: number) => new Date(BEGIN + seconds * 1000).toISOString();

function history(...moves: [Status, number, number?][]): Schemas["EventView"][] {
  return moves.map(([to, seconds, attempt = 1], index) => ({
    number: index + 1,
    from: index === 0 ? null : (moves[index - 1]?.[0] ?? null),
    to,
    cause: null,
    message: null,
    actor: "ann",
    attempt,
    at: at(seconds),
  }));
}

function attempt(fields: Partial<Schemas["AttemptView"]> = {}): Schemas["AttemptView"] {
  return {
    number: 1,
    worker_id: "w",
    engine_id: "e",
    container_name: null,
    container_id: null,
    claimed_at: at(2),
    started_at: null,
    stop_written_at: null,
    signaled_at: null,
    killed_at: null,
    exited_at: null,
    finished_at: null,
    exit_code: null,
    oom_killed: null,
    cause: null,
    message: null,
    may_have_run: null,
    log: { after: 0, last: null },
    checkpoint_files: 0,
    checkpoint_bytes: 0,
    ...fields,
  };
}

/** Lanes in seconds, to be read. */
function drawn(events: Schemas["EventView"][], attempts: Schemas["AttemptView"][], now: number) {
  return timelineOf(events, attempts, BEGIN + now * 1000)?.lanes.map((lane) => ({
    attempt: lane.attempt,
    spans: lane.spans.map(({ kind, from, to, open }) => {
      const ends = open ? "…" : "";
      return `${kind} ${(from - BEGIN) / 1000}-${(to - BEGIN) / 1000}${ends}`;
    }),
    marks: lane.marks.map(({ kind, at: moment }) => `${kind} ${(moment - BEGIN) / 1000}`),
  }));
}

describe("a timeline", () => {
  it("is not there before there is a history", () => {
    expect(timelineOf([], [], BEGIN)).toBeNull();
  });

  it("grows while it waits", () => {
    expect(drawn(history(["queued", 0, 0]), [], 5)).toEqual([
      { attempt: null, spans: ["queued 0-5…"], marks: [] },
    ]);
  });

  it("tells waiting from the attempt, and the end from the collecting before it", () => {
    const events = history(["queued", 0, 0], ["preparing", 2], ["running", 3], ["succeeded", 10]);
    expect(drawn(events, [attempt({ exited_at: at(9), finished_at: at(10) })], 99)).toEqual([
      { attempt: null, spans: ["queued 0-2"], marks: [] },
      { attempt: 1, spans: ["preparing 2-3", "running 3-9", "collecting 9-10"], marks: [] },
    ]);
  });

  it("is not led astray by the clock of an engine", () => {
    const events = history(["queued", 0, 0], ["preparing", 2], ["running", 3], ["succeeded", 10]);
    expect(drawn(events, [attempt({ exited_at: at(-50), finished_at: at(10) })], 99)?.[1]?.spans).toEqual([
      "preparing 2-3",
      "collecting 3-10",
    ]);
    expect(drawn(events, [attempt({ exited_at: at(50), finished_at: at(10) })], 99)?.[1]?.spans).toEqual([
      "preparing 2-3",
      "running 3-10",
    ]);
  });

  it("has a stop with what was done about it", () => {
    const events = history(["queued", 0, 0], ["preparing", 1], ["running", 2], ["stopping", 5]);
    const told = attempt({ stop_written_at: at(5), signaled_at: at(12), killed_at: at(15) });
    expect(drawn(events, [told], 15)?.[1]).toEqual({
      attempt: 1,
      spans: ["preparing 1-2", "running 2-5", "stopping 5-15…"],
      marks: ["told 5", "signaled 12", "killed 15"],
    });
  });

  it("puts a pause where its program is: frozen into the attempt, saved between two", () => {
    const events = history(
      ["queued", 0, 0],
      ["preparing", 1],
      ["running", 2],
      ["paused", 4],
      ["running", 6],
      ["paused", 8],
      ["queued", 20],
      ["preparing", 21, 2],
      ["running", 22, 2],
    );
    const attempts = [
      attempt({ exited_at: at(8), finished_at: at(8) }),
      attempt({ number: 2, claimed_at: at(21) }),
    ];
    expect(drawn(events, attempts, 30)).toEqual([
      { attempt: null, spans: ["queued 0-1", "paused 8-20", "queued 20-21"], marks: [] },
      { attempt: 1, spans: ["preparing 1-2", "running 2-4", "paused 4-6", "running 6-8"], marks: [] },
      { attempt: 2, spans: ["preparing 21-22", "running 22-30…"], marks: [] },
    ]);
  });

  it("takes no notice of what leaves the status as it is", () => {
    const held = { ...history(["queued", 0, 0])[0], from: "queued", number: 2, at: at(3) };
    const events = [...history(["queued", 0, 0]), held as Schemas["EventView"]];
    expect(drawn(events, [], 5)?.[0]?.spans).toEqual(["queued 0-5…"]);
  });

  it("sums what it has of each kind", () => {
    const events = history(["queued", 0, 0], ["preparing", 2], ["running", 3], ["failed", 10]);
    expect(timelineOf(events, [attempt()], BEGIN)?.totals).toEqual({
      queued: 2000,
      preparing: 1000,
      running: 7000,
    });
  });

  it("never ends before it began, though the reader's clock is behind", () => {
    const timeline = timelineOf(history(["queued", 0, 0]), [], BEGIN - 60_000);
    expect(timeline?.to).toBe(timeline?.from);
  });
});

describe("an axis", () => {
  it.each([
    [0.35, [0, 0.1, 0.2, 0.3]],
    [9, [0, 2, 4, 6, 8]],
    [60, [0, 15, 30, 45, 60]],
    [5400, [0, 1800, 3600, 5400]],
    [4_000_000, [0, 1_209_600, 2_419_200, 3_628_800]],
  ])("of %d s has round steps", (seconds, expected) => {
    expect(ticks(seconds, 5)).toEqual(expected);
  });

  it.each([
    [0, "0"],
    [0.5, "0.5 s"],
    [45, "45 s"],
    [60, "1 min"],
    [5400, "1 h 30 min"],
    [172_800, "2 d"],
  ])("says %d s as %s", (seconds, expected) => {
    expect(tickLabel(seconds)).toBe(expected);
  });
});
