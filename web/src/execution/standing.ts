/** How an execution stands, in sentences. Pure. */
import type { Execution } from "../api/types";
import { CAUSE, WAITING } from "../ui/statuses";
import { spell } from "../ui/time";

const PHASES: Record<string, string> = {
  fetching: "Fetching its input files",
  pulling: "Pulling its image",
  creating: "Making its container",
  running: "Its program runs",
  frozen: "It stands still in memory",
  engine_away: "The container engine does not answer; it goes on by itself when it does",
  setup: "Its setup runs",
  main: "Its main command runs",
  teardown: "Its teardown runs",
  collecting: "Collecting what it left",
};

/** What is being done with it, in words. */
export function phaseSentence(phase: string | null): string | null {
  return phase === null ? null : (PHASES[phase] ?? phase);
}

/** The one thing to know first: why it waits, what it does, or how it ended. It does not tick: it is read out. */
export function sentenceOf(record: Execution, now: number): string {
  switch (record.status) {
    case "queued":
      return waitingSentence(record);
    case "preparing":
      return phaseSentence(record.phase) ?? "A worker prepares its container";
    case "running":
      return runningSentence(record);
    case "paused":
      return pausedSentence(record);
    case "stopping":
      return stoppingSentence(record, now);
    default:
      return record.message ?? (record.cause ? CAUSE[record.cause] : "It has ended");
  }
}

function waitingSentence({ waiting_on, message, pool }: Execution): string {
  if (waiting_on === "pool") return `${WAITING.pool}, ${pool}`;
  return waiting_on ? WAITING[waiting_on] : (message ?? "Waits");
}

function runningSentence({ pause, phase }: Execution): string {
  if (pause?.resume_by) return `${pause.resume_by} asked to resume`;
  if (pause?.mode === "checkpoint") return `${pause.by} asked to pause it: it saves its checkpoint`;
  if (pause) return `${pause.by} asked to pause it: it is being frozen`;
  return phaseSentence(phase) ?? "Its program runs";
}

function pausedSentence({ pause }: Execution): string {
  if (!pause) return "It stands still";
  if (pause.resume_by) return `${pause.resume_by} asked to resume: it goes on in a moment`;
  const how =
    pause.mode === "freeze"
      ? "it stands still in memory, and keeps its slot"
      : "its checkpoint is saved, and its slot is free";
  return `Paused by ${pause.by}: ${how}`;
}

function stoppingSentence({ stop }: Execution, now: number): string {
  if (!stop) return "It is being stopped";
  const why = stop.reason === "cancel" ? `${stop.by} asked it to stop` : "Its time is over";
  return Date.parse(stop.deadline) > now ? why : `${why}; it is being killed`;
}

/** Its place in the queue, as a sentence; null where it has none. */
export function placeSentence({ queue_position: place, waiting_on, pool }: Execution): string | null {
  if (place === null) return null;
  if (waiting_on === "pool") return `It starts as soon as one does: a worker with \`TAILRACE_POOL=${pool}\`.`;
  if (place === 1) return "It is next.";
  if (place >= 10_000) return "10,000 or more would be started first.";
  const before = place - 1;
  return `Place ${place} in the queue: ${before === 1 ? "one other" : `${before} others`} would be started first.`;
}

/** How long such ones run, as a sentence; null where that is not known. */
export function expectationSentence({
  expected_seconds: median,
  expected_seconds_p90: most,
}: Execution): string | null {
  if (median === null) return null;
  const usual = `Usually runs for ${spell(median)}`;
  return most !== null && most > median
    ? `${usual}, nine of ten no longer than ${spell(most)}.`
    : `${usual}.`;
}

/** What it may be said of expiry: when what is removed. */
export function expirySentence({ archived_at, retention }: Execution): string | null {
  if (archived_at) return "It is in the archive: nothing of it expires.";
  return retention.record ? null : "Nothing of it expires.";
}
