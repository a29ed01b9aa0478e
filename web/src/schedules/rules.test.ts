import { expect, it } from "vitest";
import { cronInWords, inWords, PRESETS } from "./rules";

const rule = (said: object) => ({ time_zone: "UTC", offset: 0, jitter: 0, ...said }) as never;

it.each([
  ["30 6 * * MON-FRI", "Monday to Friday at 06:30, UTC"],
  ["0 0 * * *", "Every day at 00:00, UTC"],
  ["15 8,20 * * *", "Every day at 08:15 and 20:15, UTC"],
  ["*/5 * * * *", "Every 5 minutes, UTC"],
  ["* * * * *", "Every minute, UTC"],
  ["0 * * * 1,3", "Every hour at :00, Monday, Wednesday, UTC"],
  ["0 */6 * * *", "Every 6 hours at :00, UTC"],
  ["0 3 1 * *", "On day 1 of every month at 03:00, UTC"],
  ["@daily", "Every day at 00:00, UTC"],
  ["0 3 L * *", "0 3 L * *, UTC"],
  ["0 3 1 * MON", "0 3 1 * MON, UTC"],
  ["0 3 * * MON#2", "0 3 * * MON#2, UTC"],
  ["0 3 * 2 *", "0 3 * 2 *, UTC"],
])("%s: %s", (cron, words) => {
  expect(inWords(rule({ cron }))).toBe(words);
});

it("spells intervals", () => {
  expect(inWords(rule({ every: 600, offset: 300 }))).toBe("Every 10 min, 5 min 00 s after");
  expect(inWords(rule({ every: 45 }))).toBe("Every 45 s");
});

it("has words for every preset", () => {
  for (const cron of PRESETS) expect(cronInWords(cron)).not.toBe(cron);
});
