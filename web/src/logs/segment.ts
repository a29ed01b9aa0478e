import { isSameStyle, type Style, styleAfter } from "./ansi";
import type { Item, LogRecord, Stream } from "./frames";
import { extended, gapRowOf, joinedGap, type LineRow, ROW_CHARS, type Row, rowOf } from "./rows";

/** Rows of a stretch of the log, seqs `from` to `to`, of which it has all that are wanted. */
export class Segment {
  #rows: Row[] = [];
  /** Of each stream the row that goes on. */
  #open = new Map<Stream, LineRow>();
  /** Of each stream the colours that are on at its end. */
  #styles = new Map<Stream, Style>();
  #chars = 0;
  #widest = 0;
  to: number;

  /** Where lines are left out, it is not known what they would have left on: then each begins without colours. */
  constructor(
    public from: number,
    private readonly isNarrowed = false,
  ) {
    this.to = from - 1;
  }

  get rows(): readonly Row[] {
    return this.#rows;
  }

  /** What it holds, in characters. */
  get chars(): number {
    return this.#chars;
  }

  /** Characters of its longest row that are seen. */
  get widest(): number {
    return this.#widest;
  }

  /** What comes next, in order; what is there already is passed over. `to` is how far it reaches, if that is known. */
  append(items: readonly Item[], to = 0): void {
    for (const item of items) {
      if (item.kind === "record") {
        if (item.seq > this.to) this.#take(item);
      } else if (item.to > this.to) {
        this.#open.clear();
        this.#styles.clear();
        this.#push(gapRowOf({ ...item, from: Math.max(item.from, this.to + 1) }));
        this.to = item.to;
      }
    }
    this.to = Math.max(this.to, to);
  }

  /** The two as one; the other begins where this one ends. Lines that were cut between them are joined, and colours
   * that were on go on. */
  followedBy(behind: Segment): Segment {
    const next = behind.#begunIn(this.#styles);
    const joined = new Segment(this.from, this.isNarrowed);
    joined.to = next.to;
    const heads = new Set<Row>();
    const open = new Map(next.#open);
    const rows = this.#rows.slice();
    for (const [stream, row] of this.#open) {
      const head = next.#headOf(stream);
      if (head === "gap") continue;
      if (head === undefined) open.set(stream, row);
      else if (row.text.length <= ROW_CHARS) {
        const whole = extended(row, head);
        rows[this.placeOf(row.seq)] = whole;
        heads.add(head);
        if (open.get(stream) === head) open.set(stream, whole);
      }
    }
    for (const row of rows) joined.#push(row);
    for (const row of next.#rows) if (!heads.has(row)) joined.#push(row);
    joined.#open = open;
    joined.#styles = next.#styles;
    return joined;
  }

  /** Forget rows at the beginning until so many are left, or somewhat fewer: no line is cut. */
  dropHead(keep: number): void {
    let count = this.#rows.length - keep;
    if (count <= 0) return;
    let last = 0;
    for (const row of this.#rows.slice(0, count)) last = Math.max(last, row.last);
    for (let row = this.#rows[count]; row && row.seq <= last; row = this.#rows[count]) {
      last = Math.max(last, row.last);
      count += 1;
    }
    // Streams that never end a line at the same time are cut all the same.
    if (count === this.#rows.length) count -= keep;
    const dropped = this.#rows.splice(0, count);
    this.#forget(dropped);
    this.from = this.#rows[0]?.seq ?? this.to + 1;
  }

  /** Forget rows at the end, likewise. What is left is not live any more. */
  dropTail(keep: number): void {
    if (this.#rows.length <= keep) return;
    let [last, count] = [0, 0];
    for (let index = 0; index < keep; index += 1) {
      last = Math.max(last, this.#rows[index]?.last ?? 0);
      if (last < (this.#rows[index + 1]?.seq ?? 0)) count = index + 1;
    }
    const dropped = this.#rows.splice(count || keep);
    this.#forget(dropped);
    this.#open.clear();
    for (const row of dropped.toReversed()) if (row.kind === "line") this.#turn(row.stream, row.style);
    this.to = (dropped[0]?.seq ?? this.to + 1) - 1;
  }

  /** The last rows of it, as a segment of their own. */
  tail(keep: number): Segment {
    const copy = this.#copy();
    copy.dropHead(keep);
    return copy;
  }

  covers(seq: number): boolean {
    return seq >= this.from && seq <= this.to;
  }

  /** The place of the row that has this seq, or of the last one before it; 0 if there is none. */
  placeOf(seq: number): number {
    let [low, high] = [0, this.#rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#rows[middle]?.seq ?? Infinity) <= seq) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  #copy(): Segment {
    const copy = new Segment(this.from, this.isNarrowed);
    copy.to = this.to;
    copy.#rows = this.#rows.slice();
    copy.#chars = this.#chars;
    copy.#widest = this.#widest;
    copy.#open = new Map(this.#open);
    copy.#styles = new Map(this.#styles);
    return copy;
  }

  /** The same, where colours were on at its beginning. */
  #begunIn(styles: ReadonlyMap<Stream, Style>): Segment {
    if (styles.size === 0) return this;
    const copy = this.#copy();
    for (const [stream, style] of styles) copy.#begin(stream, style);
    return copy;
  }

  #begin(stream: Stream, style: Style): void {
    let on: Style | null = style;
    for (const [place, row] of this.#rows.entries()) {
      if (row.kind === "gap") return;
      if (row.stream !== stream) continue;
      // From here on it is as it was.
      if (isSameStyle(row.style, on)) return;
      const begun: LineRow = { ...row, style: on };
      this.#rows[place] = begun;
      if (this.#open.get(stream) === row) this.#open.set(stream, begun);
      on = this.#leftBy(row, on);
    }
    this.#turn(stream, on);
  }

  #leftBy({ text, continues }: LineRow | LogRecord, before: Style | null): Style | null {
    return this.isNarrowed && !continues ? null : styleAfter(text, before);
  }

  #turn(stream: Stream, on: Style | null): void {
    if (on) this.#styles.set(stream, on);
    else this.#styles.delete(stream);
  }

  #take(record: LogRecord): void {
    const before = this.#open.get(record.stream);
    const style = this.#styles.get(record.stream) ?? null;
    let row: LineRow;
    const place = before && before.text.length <= ROW_CHARS ? this.placeOf(before.seq) : -1;
    if (before && this.#rows[place] === before) {
      row = extended(before, record);
      this.#rows[place] = row;
      this.#chars += row.text.length - before.text.length;
      this.#widest = Math.max(this.#widest, row.cells);
    } else {
      row = rowOf(record, style, before !== undefined);
      this.#push(row);
    }
    if (row.continues) this.#open.set(record.stream, row);
    else if (before) this.#open.delete(record.stream);
    this.#turn(record.stream, this.#leftBy(record, style));
    this.to = record.seq;
  }

  #push(row: Row): void {
    const gap = joinedGap(this.#rows.at(-1), row);
    if (gap) this.#rows[this.#rows.length - 1] = gap;
    else this.#rows.push(row);
    if (row.kind === "line") {
      this.#chars += row.text.length;
      if (row.cells > this.#widest) this.#widest = row.cells;
    }
  }

  #headOf(stream: Stream): LineRow | "gap" | undefined {
    for (const row of this.#rows) {
      if (row.kind === "gap") return "gap";
      if (row.stream === stream) return row;
    }
    return undefined;
  }

  #forget(rows: readonly Row[]): void {
    for (const row of rows) if (row.kind === "line") this.#chars -= row.text.length;
  }
}
