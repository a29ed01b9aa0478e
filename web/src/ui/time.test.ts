import { describe, expect, it } from "vitest";
import { waitAfter } from "../live/feed";
import { spellBytes } from "./Bytes";
import { distance, spell } from "./time";

describe("numbers as people read them", () => {
  it("says seconds, minutes, hours and days", () => {
    expect([0.44, 12.9, 185, 7620, 273_600].map(spell)).toEqual([
      "0.4 s",
      "12 s",
      "3 min 05 s",
      "2 h 07 min",
      "3 d 4 h",
    ]);
  });

  it("says how long ago, and in how long", () => {
    const now = Date.parse("2026-11-21T10:00:00Z");
    expect([-1, -300, -7200, 90_000].map((seconds) => distance(now + seconds * 1000, now))).toEqual([
      "just now",
      "5 min ago",
      "2 h ago",
      "in 1 d",
    ]);
  });

  it("says sizes with a unit", () => {
    expect([0, 512, 1536, 134_217_728, 5e15].map(spellBytes)).toEqual([
      "0 B",
      "512 B",
      "1.5 KiB",
      "128 MiB",
      "4.4 PiB",
    ]);
  });
});

describe("how long until a connection is tried again", () => {
  it("grows, with chance in it, up to a quarter of a minute", () => {
    expect([0, 1, 4, 40].map((failures) => waitAfter(failures, 1))).toEqual([500, 1000, 8000, 15_000]);
    expect(waitAfter(1, 0)).toBe(500);
  });
});
