import { describe, expect, test } from "vitest";
import type { Pool, Worker } from "../api/types";
import { byPool, limitsOf, STATES, TOLD, troublesOf, verbsFor, whyStill } from "./standing";

const POOL: Pool = {
  name: "default",
  description: null,
  max_running: null,
  max_running_per_owner: null,
  queued: 0,
  running: 0,
  workers: 1,
  slots: 4,
  created_at: "2026-01-15T09:00:00Z",
};
const WORKER: Worker = {
  id: "019a3e5b-0000-7000-8000-3b1c5f8f2a44",
  pool: "default",
  host: "b",
  pid: 1,
  version: "0.1.0",
  engine: { id: "e", version: "20", ok: true, message: null, ok_at: "2026-01-15T10:00:00Z" },
  slots: 4,
  busy: 0,
  free: 4,
  executions: [],
  state: "active",
  message: null,
  started_at: "2026-01-15T09:00:00Z",
  heartbeat_at: "2026-01-15T10:00:00Z",
  gone_at: null,
};

describe("workers", () => {
  test("stand under their pools, those that take work first", () => {
    const lost: Worker = { ...WORKER, host: "a", state: "lost" };
    const stray: Worker = { ...WORKER, pool: "another" };
    const shown = byPool([POOL, { ...POOL, name: "empty" }], [lost, WORKER, stray]);
    expect(shown.map(({ name, workers }) => [name, workers.map(({ host }) => host)])).toEqual([
      ["another", ["b"]],
      ["default", ["b", "a"]],
      ["empty", []],
    ]);
    expect(shown[0]?.pool).toBeNull();
  });

  test("are told only what changes something", () => {
    expect(Object.keys(STATES).map((state) => verbsFor(state as Worker["state"]).length)).toEqual([
      2, 2, 2, 0, 0,
    ]);
    expect(TOLD.draining({ host: "vm", busy: 2 })).toBe("vm finishes 2 executions, and then ends.");
    expect(TOLD.paused({ host: "vm", busy: 0 })).toBe("vm takes nothing new.");
  });

  test("have every trouble named, and none when they are gone", () => {
    const engine = { ...WORKER.engine, ok: false, message: "connection refused" };
    const troubled: Worker = { ...WORKER, engine, message: "The disk is 97 % full.", state: "lost" };
    expect(troublesOf(WORKER)).toEqual([]);
    expect(troublesOf(troubled)).toHaveLength(3);
    expect(troublesOf({ ...troubled, state: "gone" })).toEqual([]);
  });
});

describe("pools", () => {
  test("say why nothing of them is started", () => {
    expect(whyStill(POOL)).toBeNull();
    expect(whyStill({ ...POOL, workers: 0, slots: 0 })).toMatch(/^No worker/);
    expect(whyStill({ ...POOL, slots: 0 })).toMatch(/^None of its workers/);
    expect(whyStill({ ...POOL, max_running: 0, workers: 0 })).toMatch(/^It is paused/);
  });

  test("say their limits", () => {
    expect(limitsOf(POOL)).toBe("No limit but the slots of its workers");
    expect(limitsOf({ ...POOL, max_running: 8, max_running_per_owner: 2 })).toBe(
      "At most 8 at once, at most 2 of each owner",
    );
  });
});
