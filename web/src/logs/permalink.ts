import type { Row } from "./rows";

/** Lines `from`–`to`, both included. */
export interface Lines {
  from: number;
  to: number;
}

/** Whether a row is among them: a line by its first record. */
export function includes({ from, to }: Lines, row: Row): boolean {
  return row.seq <= to && (row.kind === "gap" ? row.last : row.seq) >= from;
}

/** `L123`, or `L123-L130`, with or without `#`; behind the token of a share, where that is in the address. */
export function linesOfHash(hash: string): Lines | null {
  const found = /^#?(?:trs_[\w-]+\/)?L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(hash);
  if (!found) return null;
  return linesBetween(Math.max(1, Number(found[1])), Math.max(1, Number(found[2] ?? found[1])));
}

export function hashOfLines({ from, to }: Lines): string {
  return from === to ? `L${from}` : `L${from}-L${to}`;
}

/** The lines between two, in either order. */
export function linesBetween(one: number, other: number): Lines {
  return { from: Math.min(one, other), to: Math.max(one, other) };
}
