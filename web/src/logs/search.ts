import { asProblem, ProblemError } from "../api/problem";
import type { Item, Stream } from "./frames";
import { type Places, read } from "./pages";
import type { LogQuery, Pattern } from "./query";
import { Tail } from "./tail";

/** More matches than this are not counted. */
export const MOST_MATCHES = 100_000;

/** The lines of a log that match, counted by the server from its beginning on, and then as they come. */
export class Search {
  version = 0;
  /** Seqs of matching lines, in order: all up to how far the search has come. */
  readonly found: number[] = [];
  isStopped = false;
  /** Whether the API has understood the pattern. */
  isAccepted = false;
  /** Whether the whole log was searched, as far as it goes by now. */
  isWhole = false;
  /** Whether there are more than are counted. */
  hasMore = false;
  problem: ProblemError | null = null;
  /** The line that was gone to last. */
  current: number | null = null;
  /** Whether the way to the next one is being looked for. */
  isGoing = false;

  #reached = 0;
  readonly #reading = new AbortController();
  readonly #goesOn = new Map<Stream, boolean>();
  readonly #tail: Tail;
  readonly #query: LogQuery;
  readonly #listeners = new Set<() => void>();
  readonly #understood: Promise<boolean>;
  #judged: (good: boolean) => void = () => undefined;
  #scheduled = false;

  constructor(
    private readonly execution: string,
    query: LogQuery,
    readonly pattern: Pattern,
    /** How far the log is: what lies behind is new. */
    private readonly newest: number,
  ) {
    this.#query = { ...query, pattern };
    const nothing = () => undefined;
    this.#understood = new Promise((resolve) => {
      this.#judged = resolve;
    });
    this.#tail = new Tail(
      execution,
      this.#query,
      { after: 0 },
      {
        onBegin: () => {
          this.isAccepted = true;
          this.#judged(true);
          this.#tell();
        },
        onStatus: nothing,
        onConnection: nothing,
        onItems: (items, after) => this.#take(items, after),
        onEnd: () => {
          this.isWhole = true;
          this.#tell();
        },
        onRefused: (code, reason) => {
          this.problem = new ProblemError(code, "refused", "This cannot be searched for", reason);
          this.#judged(false);
          this.#tell();
        },
      },
    );
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly getVersion = (): number => this.version;

  start(): void {
    this.#tail.start();
  }

  /** It is over: what is still on its way is for nobody. */
  stop(): void {
    this.isStopped = true;
    this.#tail.stop();
    this.#reading.abort();
  }

  /** How much of the log was searched, 0 to 1. */
  get share(): number {
    return this.newest > 0 ? Math.min(1, this.#reached / this.newest) : 0;
  }

  has(seq: number): boolean {
    return this.found[firstAfter(this.found, seq - 1)] === seq;
  }

  /** The place of the current match among all, from 1 on; null if it is none, or not known yet. */
  get place(): number | null {
    if (this.current === null || !this.has(this.current)) return null;
    return firstAfter(this.found, this.current - 1) + 1;
  }

  /** Go to the match behind a line, or before it; around the end if there is none. Null if there is none at all. */
  go(from: number, backwards: boolean): Promise<number | null> {
    const edge = backwards ? Number.MAX_SAFE_INTEGER : 0;
    return this.#goTo(async () => (await this.#next(from, backwards)) ?? (await this.#next(edge, backwards)));
  }

  /** Go to a match that is near: from a line on, else before it. */
  near(seq: number): Promise<number | null> {
    return this.#goTo(async () => (await this.#next(seq - 1, false)) ?? (await this.#next(seq, true)));
  }

  async #goTo(find: () => Promise<number | null>): Promise<number | null> {
    if (!(await this.#understood)) return null;
    this.isGoing = true;
    this.#tell();
    try {
      this.current = await find();
    } catch (error) {
      if (!this.isStopped) this.problem = asProblem(error);
    }
    this.isGoing = false;
    this.#tell();
    return this.current;
  }

  async #next(from: number, backwards: boolean): Promise<number | null> {
    const place = firstAfter(this.found, backwards ? from - 1 : from);
    if (backwards ? this.#reached >= from - 1 || this.isWhole : place < this.found.length)
      return this.found[backwards ? place - 1 : place] ?? null;
    if (this.isWhole && !this.hasMore) return null;
    if (backwards) {
      const places = from === Number.MAX_SAFE_INTEGER ? { tail: 1 } : { before: from, tail: 1 };
      return firstSeq((await this.#read(places)).items);
    }
    let page = await this.#read({ after: from, limit: 1 });
    while (page.items.every((item) => item.kind === "gap") && page.more)
      page = await this.#read({ after: page.more.after, limit: 1 });
    return firstSeq(page.items);
  }

  #read(places: Places): ReturnType<typeof read> {
    return read(this.execution, this.#query, places, this.#reading.signal);
  }

  #take(items: readonly Item[], after: number): void {
    for (const item of items) {
      if (item.kind === "gap") this.#goesOn.clear();
      else {
        if (!this.#goesOn.get(item.stream)) this.found.push(item.seq);
        this.#goesOn.set(item.stream, item.continues);
      }
    }
    this.#reached = Math.max(this.#reached, after);
    this.isWhole ||= this.#reached >= this.newest;
    if (this.found.length >= MOST_MATCHES) {
      this.hasMore = true;
      this.isWhole = false;
      this.#tail.stop();
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => this.#tell());
  }

  #tell(): void {
    this.#scheduled = false;
    this.version += 1;
    for (const listener of this.#listeners) listener();
  }
}

function firstSeq(items: readonly Item[]): number | null {
  return items.find((item) => item.kind === "record")?.seq ?? null;
}

/** The place of the first number above this one. */
export function firstAfter(numbers: readonly number[], value: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? Infinity) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
