import { useSyncExternalStore } from "react";

const SECOND = 1;
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** Seconds as people say them: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`, `3 d 4 h`. */
export function spell(seconds: number): string {
  if (seconds < 10 * SECOND) return `${Math.floor(seconds * 10) / 10} s`;
  if (seconds < MINUTE) return `${Math.floor(seconds)} s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min ${padded(seconds % MINUTE)} s`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h ${padded((seconds % HOUR) / MINUTE)} min`;
  return `${Math.floor(seconds / DAY)} d ${Math.floor((seconds % DAY) / HOUR)} h`;
}

/** How long ago, or in how long: `just now`, `5 min ago`, `in 2 h`. */
export function distance(from: number, to: number): string {
  const seconds = (to - from) / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return "just now";
  const [unit, word] =
    size < MINUTE ? [SECOND, "s"] : size < HOUR ? [MINUTE, "min"] : size < DAY ? [HOUR, "h"] : [DAY, "d"];
  const said = `${Math.floor(size / unit)} ${word}`;
  return seconds < 0 ? `in ${said}` : `${said} ago`;
}

// To make one takes a hundred times as long as to use it, and a list has one in every row.
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

/** A moment in full, in the reader's zone and tongue. */
export function inFull(at: string): string {
  return full.format(new Date(at));
}

/** The hour of a moment of today, else its day. */
export function inShort(at: string, now: number): string {
  const moment = new Date(at);
  const isToday = moment.toDateString() === new Date(now).toDateString();
  return isToday
    ? moment.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" })
    : moment.toLocaleString(undefined, {
        day: "numeric",
        month: "short",
        hour: "2-digit",
        minute: "2-digit",
      });
}

function padded(value: number): string {
  return String(Math.floor(value)).padStart(2, "0");
}

/** One clock for all that ticks, and none when nothing does. */
class Clock {
  #now = Date.now();
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(private readonly every: number) {}

  readonly subscribe = (listener: () => void): (() => void) => {
    if (this.#listeners.size === 0) this.#timer = setInterval(() => this.#tick(), this.every);
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) clearInterval(this.#timer);
    };
  };

  readonly now = (): number => this.#now;

  #tick(): void {
    this.#now = Date.now();
    for (const listener of this.#listeners) listener();
  }
}

const seconds = new Clock(1000);
const halfMinutes = new Clock(30_000);
const still = () => () => undefined;

/** The time, anew every second while `ticking`. */
export function useNow(ticking = true): number {
  return useSyncExternalStore(ticking ? seconds.subscribe : still, seconds.now);
}

/** The time, as often as a distance to that moment is said otherwise: each second while it is near. */
export function useNowNear(moment: number): number {
  const clock = Math.abs(Date.now() - moment) < MINUTE * 1000 ? seconds : halfMinutes;
  return useSyncExternalStore(clock.subscribe, clock.now);
}

/** The time, anew every half minute. */
export function useCoarseNow(): number {
  return useSyncExternalStore(halfMinutes.subscribe, halfMinutes.now);
}
