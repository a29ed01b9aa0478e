import { describe, expect, it } from "vitest";
import { briefly, durationTicks } from "./ticks";

describe("an axis of durations", () => {
  it.each([
    [0, ["0 s", "0.1 s"]],
    [0.35, ["0 s", "0.1 s", "0.2 s", "0.3 s", "0.4 s"]],
    [44, ["0 s", "15 s", "30 s", "45 s"]],
    [61, ["0 s", "30 s", "1 min", "1.5 min"]],
    [3600, ["0 s", "15 min", "30 min", "45 min", "1 h"]],
    [3 * 86_400, ["0 s", "1 d", "2 d", "3 d"]],
  ])("of %d s is cut as people count", (longest, said) => {
    expect(durationTicks(longest).map(briefly)).toEqual(said);
  });

  it("has few lines and room for all, however long it is", () => {
    for (let longest = 0.01; longest < 1e12; longest *= 1.7) {
      const ticks = durationTicks(longest);
      expect(ticks.length).toBeLessThanOrEqual(5);
      expect(ticks.at(-1)).toBeGreaterThanOrEqual(longest);
    }
  });
});
