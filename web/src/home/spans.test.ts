import { describe, expect, it } from "vitest";
import { isSpan, SPANS, stepRange } from "./spans";

const HOUR = 3600;

describe("a step", () => {
  it("that is not over lasts until now", () => {
    const now = new Date(2026, 0, 5, 14, 20).getTime();
    expect(stepRange(new Date(2026, 0, 5, 14).toISOString(), HOUR, now)).toMatch(/ – now$/);
    expect(stepRange(new Date(2026, 0, 5, 13).toISOString(), HOUR, now)).not.toMatch(/now|Jan/);
    expect(stepRange(new Date(2026, 0, 4, 13).toISOString(), HOUR, now).match(/Jan/g)).toHaveLength(1);
    expect(stepRange(new Date(2026, 0, 3, 13).toISOString(), 24 * HOUR, now).match(/Jan/g)).toHaveLength(2);
  });

  it("is a whole part of its span, and as short as the API keeps it", () => {
    for (const { seconds, step } of Object.values(SPANS)) {
      expect(seconds % step).toBe(0);
      expect(seconds >= 2 * 86_400 ? step % 3600 : step % 60).toBe(0);
    }
    expect([isSpan("week"), isSpan("toString"), isSpan(7)]).toEqual([true, false, false]);
  });
});
