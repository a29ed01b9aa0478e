import { describe, expect, it } from "vitest";
import { percent, sumOf } from "./sums";

const STEP = { at: "2026-01-01T00:00:00Z", submitted: 0, started: 0 };

describe("what came and went", () => {
  it("is summed up over all steps, and the queue is as old as it ever was", () => {
    const sums = sumOf([
      { ...STEP, submitted: 3, ended: { succeeded: 2, crashed: 1 }, queue_age_seconds: 4 },
      { ...STEP, submitted: 2, queue_age_seconds: null },
      { ...STEP, ended: { succeeded: 1 }, queue_age_seconds: 2.5 },
    ]);
    expect(sums).toMatchObject({ submitted: 5, total: 4, oldest: 4 });
    expect(sums.ended).toEqual({ succeeded: 3, failed: 0, timed_out: 0, canceled: 0, crashed: 1 });
    expect(sumOf([STEP]).oldest).toBeNull();
  });

  it("is told in percent that say neither all nor none where it is not so", () => {
    const said = [percent(0, 0), percent(0, 7), percent(7, 7), percent(999, 1000), percent(1, 1000)];
    expect(said).toEqual(["–", "0 %", "100 %", "99 %", "1 %"]);
  });
});
