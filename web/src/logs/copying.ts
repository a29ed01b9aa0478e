import { showProblem } from "../ui/notify";
import { copyText } from "./clipboard";
import { read } from "./pages";
import { includes, type Lines } from "./permalink";
import { plainText, type Row } from "./rows";
import { Segment } from "./segment";
import { type LogStore, MOST_ROWS } from "./store";

/** Put lines on the clipboard; those that are not in the window are read. */
export async function copyLines(store: LogStore, lines: Lines): Promise<void> {
  try {
    copyRows((await rowsOf(store, lines)).filter((row) => includes(lines, row)));
  } catch (error) {
    showProblem(error);
  }
}

export function copyRows(rows: readonly Row[]): void {
  const count = rows.length.toLocaleString("en");
  copyText(rows.map(plainText).join("\n"), rows.length === 1 ? "1 line copied" : `${count} lines copied`);
}

async function rowsOf(store: LogStore, { from, to }: Lines): Promise<readonly Row[]> {
  if (store.covers(from) && store.covers(Math.min(to, store.newest))) return store.rows;
  const places = { after: from - 1, before: to + 1, limit: MOST_ROWS };
  const segment = new Segment(from);
  segment.append((await read(store.execution, store.query, places)).items);
  return segment.rows;
}
