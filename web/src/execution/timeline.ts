/** An execution's time as lanes of spans: how long it waited, and what each attempt did. Pure. */
import type { Schemas, Status } from "../api/types";

type EventView = Schemas["EventView"];
type AttemptView = Schemas["AttemptView"];

export type Kind = "queued" | "preparing" | "running" | "paused" | "stopping" | "collecting";

/** In the order in which they are told. */
export const KINDS: readonly Kind[] = ["queued", "preparing", "running", "paused", "stopping", "collecting"];

/** A stretch of one kind; times are milliseconds since 1970. An open one goes on. */
export interface Span {
  kind: Kind;
  from: number;
  to: number;
  open: boolean;
}

/** A moment within an attempt. */
export interface Mark {
  kind: "told" | "signaled" | "killed";
  at: number;
}

/** What happened between attempts (`attempt` is null), or in one of them. */
export interface Lane {
  attempt: number | null;
  spans: Span[];
  marks: Mark[];
}

export interface Timeline {
  from: number;
  to: number;
  lanes: Lane[];
  /** Milliseconds of each kind, of all lanes. */
  totals: Partial<Record<Kind, number>>;
}

/** All of it by now. Clocks of other hosts may be a little off: nothing ends before it began. */
export function timelineOf(
  events: readonly EventView[],
  attempts: readonly AttemptView[],
  now: number,
): Timeline | null {
  const stretches = stretchesOf(events, now);
  const [first] = stretches;
  if (!first) return null;
  const lanes = new Map<number | null, Lane>([[null, { attempt: null, spans: [], marks: [] }]]);
  for (const each of attempts)
    lanes.set(each.number, { attempt: each.number, spans: [], marks: marksOf(each) });
  for (const { attempt, ...span } of stretches) {
    const own = attempts.find(({ number }) => number === attempt);
    const lane = lanes.get(isBetween(span, own) ? null : attempt) ?? lanes.get(null);
    lane?.spans.push(...(own && lane.attempt !== null ? withCollecting(span, own) : [span]));
  }
  const shown = [...lanes.values()].filter(({ spans }) => spans.length > 0);
  const to = Math.max(...stretches.map((each) => each.to));
  return { from: first.from, to, lanes: shown, totals: totalsOf(shown) };
}

interface Stretch extends Span {
  attempt: number;
}

/** From each change of the status to the next; what ended has none after that. */
function stretchesOf(events: readonly EventView[], now: number): Stretch[] {
  const moves = events.filter((each) => each.from !== each.to);
  return moves.flatMap((move, index) => {
    const kind = kindOf(move.to);
    if (!kind) return [];
    const next = moves[index + 1];
    const from = Date.parse(move.at);
    return [
      {
        kind,
        from,
        to: Math.max(from, next ? Date.parse(next.at) : now),
        open: !next,
        attempt: move.attempt,
      },
    ];
  });
}

function kindOf(status: Status): Kind | null {
  return (KINDS as readonly string[]).includes(status) ? (status as Kind) : null;
}

/** Whether no container of it was there: in the queue, or paused by its checkpoint. */
function isBetween({ kind, from }: Span, attempt: AttemptView | undefined): boolean {
  if (kind === "queued" || !attempt) return true;
  return kind === "paused" && attempt.finished_at !== null && Date.parse(attempt.finished_at) <= from;
}

/** What comes after the container's exit is the collecting of what it left. */
function withCollecting(span: Span, attempt: AttemptView): Span[] {
  const exited = attempt.exited_at === null ? Number.POSITIVE_INFINITY : Date.parse(attempt.exited_at);
  if (exited >= span.to || span.kind === "preparing") return [span];
  const at = Math.max(span.from, exited);
  const rest: Span = { ...span, kind: "collecting", from: at };
  return at > span.from ? [{ ...span, to: at, open: false }, rest] : [rest];
}

function marksOf(attempt: AttemptView): Mark[] {
  const moments: [Mark["kind"], string | null][] = [
    ["told", attempt.stop_written_at],
    ["signaled", attempt.signaled_at],
    ["killed", attempt.killed_at],
  ];
  return moments.flatMap(([kind, at]) => (at ? [{ kind, at: Date.parse(at) }] : []));
}

function totalsOf(lanes: readonly Lane[]): Timeline["totals"] {
  const totals: Timeline["totals"] = {};
  for (const { spans } of lanes)
    for (const { kind, from, to } of spans) totals[kind] = (totals[kind] ?? 0) + to - from;
  return totals;
}

const STEPS = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200,
  86_400, 172_800, 604_800,
];

/** Round distances from the beginning, in seconds, at most so many of them. */
export function ticks(seconds: number, most: number): number[] {
  const step = STEPS.find((each) => seconds / each <= most) ?? 604_800 * Math.ceil(seconds / most / 604_800);
  const count = Math.floor(seconds / step + 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => Math.round(index * step * 10) / 10);
}

/** Seconds as an axis has them: `0`, `30 s`, `5 min`, `1 h 30 min`, `2 d`. */
export function tickLabel(seconds: number): string {
  if (seconds === 0) return "0";
  if (seconds < 60) return `${seconds} s`;
  const units: [number, string][] = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  let left = seconds;
  const parts: string[] = [];
  for (const [size, word] of units) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count} ${word}`);
  }
  return parts.slice(0, 2).join(" ");
}
