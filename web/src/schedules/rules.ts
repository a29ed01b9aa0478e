import type { Schemas } from "../api/types";
import { spell } from "../ui/time";

export type Rule = Schemas["Rule"];

/** What people most often want, to begin with. */
export const PRESETS = [
  "*/15 * * * *",
  "0 * * * *",
  "0 6 * * *",
  "0 6 * * MON-FRI",
  "0 6 * * MON",
  "0 6 1 * *",
] as const;

/** What a new schedule begins with: every morning, where its maker lives. */
export function freshRule(): Rule {
  return { cron: "0 6 * * *", time_zone: localZone(), offset: 0, jitter: 0 };
}

function localZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

const NAMED: { [cron: string]: string } = {
  "@hourly": "Every hour",
  "@daily": "Every day at 00:00",
  "@midnight": "Every day at 00:00",
  "@weekly": "Every Sunday at 00:00",
  "@monthly": "On the 1st of every month at 00:00",
  "@yearly": "On 1 January at 00:00",
  "@annually": "On 1 January at 00:00",
};
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const SHORT = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/** What a rule says, as far as it is of the common kind: `Monday to Friday at 06:30, Europe/Berlin`. */
export function inWords(rule: Rule): string {
  if (rule.every != null) {
    const offset = rule.offset ? `, ${spell(rule.offset)} after` : "";
    return `Every ${spell(rule.every).replace(/ 00 (s|min)$/, "")}${offset}`;
  }
  return `${cronInWords(rule.cron ?? "")}, ${rule.time_zone}`;
}

/** The same of a cron expression alone; itself where it is of another kind. */
export function cronInWords(cron: string): string {
  return NAMED[cron] ?? ofFields(cron) ?? cron;
}

function ofFields(cron: string): string | null {
  const [minute = "", hour = "", day = "", month = "", weekday = "", ...rest] = cron.trim().split(/\s+/);
  if (rest.length > 0 || month !== "*") return null;
  const when = timeOf(minute, hour);
  if (when === null) return null;
  const isClock = when.startsWith("at ");
  if (day === "*" && weekday === "*") return isClock ? `Every day ${when}` : capitalized(when);
  if (day === "*") {
    const days = daysOf(weekday);
    return days && (isClock ? `${days} ${when}` : `${capitalized(when)}, ${days}`);
  }
  return weekday === "*" && /^\d+$/.test(day) && isClock ? `On day ${day} of every month ${when}` : null;
}

function timeOf(minute: string, hour: string): string | null {
  const step = /^\*\/(\d+)$/.exec(minute)?.[1];
  if (minute === "*" && hour === "*") return "every minute";
  if (step && hour === "*") return `every ${step} minutes`;
  if (!/^\d+$/.test(minute)) return null;
  if (hour === "*") return `every hour at :${minute.padStart(2, "0")}`;
  const every = /^\*\/(\d+)$/.exec(hour)?.[1];
  if (every) return `every ${every} hours at :${minute.padStart(2, "0")}`;
  if (!/^\d+(,\d+)*$/.test(hour)) return null;
  return `at ${hour
    .split(",")
    .map((each) => `${each.padStart(2, "0")}:${minute.padStart(2, "0")}`)
    .join(" and ")}`;
}

function daysOf(weekday: string): string | null {
  const parts = weekday.split(",").map((part) => {
    const ends = part.split("-").map(dayOf);
    if (ends.length > 2 || ends.some((each) => each === null)) return null;
    return ends.join(" to ");
  });
  return parts.includes(null) ? null : parts.join(", ");
}

function dayOf(day: string): string | null {
  const index = /^[0-7]$/.test(day) ? Number(day) : SHORT.indexOf(day.toUpperCase());
  return DAYS[index] ?? null;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
