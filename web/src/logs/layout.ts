import { type Row, SHOWN_CHARS } from "./rows";

/** Where rows lie in the window, in pixels: of one line each, or wrapped after so many columns. */
export class Layout {
  /** Lines above each row, and of all; null where each has one. */
  readonly #above: Int32Array | null = null;
  readonly #count: number;

  constructor(
    rows: readonly Row[],
    readonly lineHeight: number,
    wrapped: { columns: number; measured: ReadonlyMap<number, number> } | null,
  ) {
    this.#count = rows.length;
    if (!wrapped) return;
    const { columns, measured } = wrapped;
    const above = new Int32Array(rows.length + 1);
    let sum = 0;
    rows.forEach((row, index) => {
      above[index] = sum;
      sum += (measured.size > 0 ? measured.get(row.seq) : undefined) ?? linesOf(row, columns);
    });
    above[rows.length] = sum;
    this.#above = above;
  }

  get height(): number {
    return this.topOf(this.#count);
  }

  topOf(index: number): number {
    const at = Math.max(0, Math.min(index, this.#count));
    return (this.#above ? (this.#above[at] ?? 0) : at) * this.lineHeight;
  }

  /** Lines that a row is taken to have. */
  linesAt(index: number): number {
    return (this.topOf(index + 1) - this.topOf(index)) / this.lineHeight;
  }

  /** The row that lies at this height. */
  indexAt(y: number): number {
    const line = Math.floor(y / this.lineHeight);
    if (!this.#above) return clamp(line, this.#count);
    let [low, high] = [0, this.#count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#above[middle + 1] ?? Infinity) <= line) low = middle + 1;
      else high = middle;
    }
    return clamp(low, this.#count);
  }
}

function clamp(index: number, count: number): number {
  return Math.max(0, Math.min(index, count - 1));
}

/** Lines that a row takes as far as its characters tell: wide ones and tabs take more, so what is seen is measured. */
export function linesOf(row: Row, columns: number): number {
  if (row.kind === "gap") return 1;
  return Math.max(1, Math.ceil(Math.min(row.cells, SHOWN_CHARS) / Math.max(1, columns)));
}

/** The thumb of a scroll bar for the whole log, as shares of its length. */
export function thumbOf(first: number, last: number, newest: number): { start: number; size: number } {
  const whole = Math.max(1, newest, last);
  const size = Math.min(1, Math.max(0.02, (last - first + 1) / whole));
  const start = whole <= last - first + 1 ? 0 : Math.min(1, (first - 1) / (whole - (last - first + 1)));
  return { start: start * (1 - size), size };
}

/** Which line a place on the scroll bar stands for; the other way round. */
export function seqAtShare(share: number, newest: number): number {
  return Math.max(1, Math.min(newest, Math.round(share * (newest - 1)) + 1));
}
