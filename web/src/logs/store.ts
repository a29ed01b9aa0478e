import { asProblem, ProblemError } from "../api/problem";
import { hasEnded, type Status } from "../api/types";
import type { End, Item } from "./frames";
import { PAGE, readAfter, readBefore } from "./pages";
import { isNarrowed, type LogQuery } from "./query";
import type { Row } from "./rows";
import { Segment } from "./segment";
import { type Connection, Tail, type TailHandlers } from "./tail";

/** More than this is not held, of rows and of characters. */
export const MOST_ROWS = 50_000;
const MOST_CHARS = 16 * 2 ** 20;
const KEPT_SHARE = 0.8;
/** So much of the end is held beside what is shown elsewhere. */
const LIVE_ROWS = 5_000;
/** Nearer to an edge than this, in rows, and more is read. */
const NEAR = 400;
/** How the API says that the last lines of a selection are too far apart. */
const TOO_LONG = "took too long to find";
/** Between two drawings lie at least so many milliseconds, and so many times what the last one took, up to a limit. */
const REST = 40;
const REST_SHARE = 3;
const LONGEST_REST = 400;

/** Where the view is to go. Each is another object. */
export interface Focus {
  seq: number;
  align: "start" | "center" | "nearest";
}

/** A window of a log, and its end as it comes; independent of how it is shown. It tells listeners that it has changed. */
export class LogStore implements TailHandlers {
  version = 0;
  connection: Connection = "connecting";
  status: Status | null = null;
  end: End | null = null;
  following = true;
  /** The highest seq that is known. */
  newest = 0;
  focus: Focus | null = null;
  loading: "earlier" | "later" | "there" | null = null;
  /** The first and the last line that are seen. */
  seen = { first: 1, last: 1 };
  /** Why something could not be read, or the log not be followed. */
  problem: ProblemError | null = null;

  #live = new Segment(Number.MAX_SAFE_INTEGER);
  #shown = this.#live;
  #begun = false;
  #pausedAt = 0;
  #place = 0;
  #tail: Tail;
  #going = new AbortController();
  /** Where to go once it is known where the live end begins. */
  #wanted: Focus | null = null;
  #scheduled = false;
  #restsUntil = 0;
  readonly #listeners = new Set<() => void>();

  constructor(
    readonly execution: string,
    readonly query: LogQuery,
  ) {
    this.#tail = new Tail(execution, query, { tail: PAGE }, this);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getVersion = (): number => this.version;

  get rows(): readonly Row[] {
    return this.#shown.rows;
  }

  get widest(): number {
    return this.#shown.widest;
  }

  /** Whether the end of the log is in the window. */
  get isAttached(): boolean {
    return this.#shown === this.#live;
  }

  /** Whether anything has come yet, if only that there is nothing. */
  get isReady(): boolean {
    return (
      this.#begun &&
      (this.rows.length > 0 || this.end !== null || (this.status !== null && !hasEnded(this.status)))
    );
  }

  /** Whether it is known what this line says, or that it is not wanted. */
  covers(seq: number): boolean {
    return this.#shown.covers(seq);
  }

  get reachesStart(): boolean {
    return this.#shown.from <= 1;
  }

  /** Lines that came since the view stands still. */
  get fresh(): number {
    return this.following ? 0 : Math.max(0, this.newest - this.#pausedAt);
  }

  start(): void {
    this.#tail.start();
  }

  stop(): void {
    this.#tail.stop();
    this.#giveUp();
  }

  placeOf(seq: number): number {
    return this.#shown.placeOf(seq);
  }

  pause(): void {
    if (!this.following) return;
    this.following = false;
    this.#pausedAt = this.newest;
    this.#tell();
  }

  /** To the end, and on with it. */
  follow(): void {
    this.#giveUp();
    this.#shown = this.#live;
    this.following = true;
    this.#bound();
    this.#tell();
  }

  /** Which rows are seen: near an edge more is read. */
  look(first: number, last: number): void {
    this.#place = first;
    const seen = { first: this.rows[first]?.seq ?? 1, last: this.rows[last]?.last ?? 1 };
    // Who shows that is drawn before the rows are in their place.
    if (seen.first !== this.seen.first || seen.last !== this.seen.last) this.#schedule();
    this.seen = seen;
    if (this.loading || this.problem || !this.#begun) return;
    const count = this.rows.length;
    // Of long rows there are few.
    const near = Math.min(NEAR, count / 4);
    if (first < near && !this.reachesStart) void this.#readEarlier();
    else if (last >= count - near && !this.isAttached) void this.#readLater();
  }

  /** Read once more what could not be read. */
  retry(): void {
    this.problem = null;
    if (this.connection === "refused") this.#tail.start();
    this.#tell();
  }

  /** The line below another, or above it, of those that are in the window. */
  besides(seq: number, down: boolean): number {
    return this.rows[this.placeOf(seq) + (down ? 1 : -1)]?.seq ?? seq;
  }

  /** Have a line of the window in sight. */
  show(seq: number): void {
    this.pause();
    this.#focus(seq, "nearest");
  }

  /** Show a line, or the one before it that is there. */
  async goTo(seq: number, align: Focus["align"] = "center"): Promise<void> {
    this.pause();
    this.#giveUp();
    if (!this.#begun) {
      this.#wanted = { seq, align };
      return;
    }
    const wanted = Math.max(1, seq);
    if (this.#shown.covers(wanted)) return this.#focus(wanted, align);
    if (wanted >= this.#live.from) {
      this.#shown = this.#live;
      return this.#focus(wanted, align);
    }
    await this.#reading("there", this.#going.signal, async (signal) => {
      const [before, after] = await Promise.all([
        readBefore(this.execution, this.query, wanted, signal),
        readAfter(this.execution, this.query, wanted - 1, { ...this.#ahead(), signal }),
      ]);
      this.#shown = before.followedBy(after);
      this.#attach();
      this.#focus(wanted, align);
    });
  }

  onBegin(after: number, status: Status): void {
    const live = new Segment(after + 1, isNarrowed(this.query));
    if (this.isAttached) this.#shown = live;
    this.#live = live;
    this.#begun = true;
    this.newest = Math.max(this.newest, after);
    this.status = status;
    this.#tell();
    const wanted = this.#wanted;
    this.#wanted = null;
    if (wanted) void this.goTo(wanted.seq, wanted.align);
  }

  onItems(items: Item[], after: number): void {
    this.#live.append(items, after);
    this.newest = Math.max(this.newest, after);
    this.#attach();
    this.#bound();
    this.#schedule();
  }

  onStatus(status: Status): void {
    this.status = status;
    this.#schedule();
  }

  onEnd(end: End): void {
    this.end = end;
    this.status = end.status;
    this.#tell();
  }

  onConnection(connection: Connection): void {
    this.connection = connection;
    // What the outage made fail is read again by itself.
    if (connection === "live" && this.problem?.code === "unreachable") this.problem = null;
    this.#tell();
  }

  onRefused(code: number, reason: string): void {
    if (reason.includes(TOO_LONG) && !this.#begun) {
      // From the beginning on a search always gets further.
      this.#tail = new Tail(this.execution, this.query, { after: 0 }, this);
      this.#tail.start();
      return;
    }
    const title = code === 4404 ? "There is no such log" : "The log cannot be followed";
    this.problem = new ProblemError(code, "refused", title, reason || `The API closed with ${code}.`);
    this.#tell();
  }

  /** Whatever is being read is for somewhere else. */
  #giveUp(): void {
    this.#wanted = null;
    this.#going.abort();
    this.#going = new AbortController();
    this.loading = null;
  }

  async #readEarlier(): Promise<void> {
    const shown = this.#shown;
    const { from } = shown;
    await this.#reading("earlier", this.#going.signal, async (signal) => {
      const page = await readBefore(this.execution, this.query, from, signal);
      if (this.#shown !== shown || shown.from !== from) return;
      this.#replace(page.followedBy(shown));
      this.#bound();
    });
  }

  async #readLater(): Promise<void> {
    const shown = this.#shown;
    const { to } = shown;
    await this.#reading("later", this.#going.signal, async (signal) => {
      const page = await readAfter(this.execution, this.query, to, { ...this.#ahead(), signal });
      if (this.#shown !== shown || shown.to !== to || this.isAttached) return;
      this.#shown = shown.followedBy(page);
      this.#attach();
      this.#bound();
    });
  }

  /** Up to where can be read until the live end begins. */
  #ahead(): { before: number | null; newest: number } {
    return { before: this.#begun ? this.#live.from : null, newest: this.newest };
  }

  async #reading(
    what: "earlier" | "later" | "there",
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> {
    this.loading = what;
    this.#tell();
    try {
      await work(signal);
    } catch (error) {
      if (!signal.aborted) this.problem = asProblem(error);
    }
    if (signal.aborted) return;
    this.loading = null;
    this.#tell();
  }

  #focus(seq: number, align: Focus["align"]): void {
    this.focus = { seq, align };
    this.#place = this.#shown.placeOf(seq);
    this.#tell();
  }

  #replace(segment: Segment): void {
    if (this.isAttached) this.#live = segment;
    this.#shown = segment;
  }

  /** When what is shown reaches the live end, they are one. */
  #attach(): void {
    if (this.isAttached || this.#shown.to + 1 !== this.#live.from) return;
    this.#shown = this.#live = this.#shown.followedBy(this.#live);
  }

  #bound(): void {
    if (!this.isAttached && this.#live.rows.length > 2 * LIVE_ROWS) this.#live.dropHead(LIVE_ROWS);
    const { rows, chars } = this.#shown;
    if (rows.length <= MOST_ROWS && chars <= MOST_CHARS) return;
    const keep = Math.floor(Math.min(rows.length, MOST_ROWS) * KEPT_SHARE);
    if (this.following || this.#place > rows.length / 2) {
      this.#place -= rows.length - keep;
      this.#shown.dropHead(keep);
      return;
    }
    if (this.isAttached) this.#live = this.#shown.tail(LIVE_ROWS);
    this.#shown.dropTail(keep);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const wait = Math.max(0, this.#restsUntil - performance.now());
    setTimeout(() => requestAnimationFrame(() => this.#draw()), wait);
  }

  /** Of a flood less is drawn, so that the page has time for its reader. */
  #draw(): void {
    const began = performance.now();
    this.#tell();
    // React draws in a microtask of its own, which comes first.
    queueMicrotask(() => {
      const now = performance.now();
      this.#restsUntil = now + Math.min(LONGEST_REST, Math.max(REST, REST_SHARE * (now - began)));
    });
  }

  #tell(): void {
    this.#scheduled = false;
    this.version += 1;
    for (const listener of this.#listeners) listener();
  }
}
