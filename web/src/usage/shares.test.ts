import { expect, test } from "vitest";
import { nearnessOf, readLimits, spellLimits, typedLimits, typedSize } from "./shares";

const LIMITS = {
  owner: "ann",
  max_queued: 100,
  max_running: null,
  max_cpus: 1.5,
  max_memory: 16 * 1024 ** 3,
  max_log_bytes: null,
  max_storage: 1000,
  updated_at: null,
};

test("What is typed is what was there", () => {
  const typed = typedLimits(LIMITS);
  expect(typed).toMatchObject({ max_queued: "100", max_running: "", max_cpus: "1.5", max_memory: "16GiB" });
  expect(readLimits(typed)).toEqual({
    max_queued: 100,
    max_cpus: 1.5,
    max_memory: "16GiB",
    max_storage: 1000,
  });
  expect(readLimits({ ...typed, max_memory: "2 GiB", max_queued: "many" })).toMatchObject({
    max_memory: "2GiB",
    max_queued: "many",
  });
});

test("Sizes are told to the byte", () => {
  expect(typedSize(1024)).toBe("1KiB");
  expect(typedSize(1025)).toBe("1025");
  expect(typedSize(0)).toBe("0");
  expect(typedSize(3 * 1024 ** 4)).toBe("3TiB");
});

test("A share is near from four fifths on, and of no limit nowhere", () => {
  expect(nearnessOf(5, null)).toBeNull();
  expect(nearnessOf(7, 10)).toEqual({ percent: 70, tone: "calm" });
  expect(nearnessOf(8, 10)?.tone).toBe("near");
  expect(nearnessOf(12, 10)).toEqual({ percent: 100, tone: "full" });
  expect(nearnessOf(0, 0)?.tone).toBe("full");
});

test("Only limits that were given are told", () => {
  expect(spellLimits(LIMITS)).toBe(
    "Queued at once: 100 · CPU cores at once: 1.5 · Memory at once: 16 GiB · Storage that is kept: 1000 B",
  );
});
