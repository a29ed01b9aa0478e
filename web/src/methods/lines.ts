interface Line {
  number: number;
  indent: number;
  text: string;
}

/** The line, from 1, of a field such as `inputs.properties.a` or `steps.fit.needs[1]` in YAML or indented JSON; of what it is in, if it has no line of its own; null if nothing of it is there. */
export function lineOf(text: string, field: string): number | null {
  let block = linesOf(text);
  let found: number | null = null;
  for (const part of partsOf(field)) {
    const place = typeof part === "number" ? itemAt(block, part) : keyAt(block, part);
    if (!place) break;
    found = place.line;
    block = place.block;
  }
  return found;
}

function partsOf(field: string): (string | number)[] {
  return [...field.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, name]) =>
    index === undefined ? (name ?? "") : Number(index),
  );
}

function linesOf(text: string): Line[] {
  return text.split("\n").flatMap((line, index) => {
    const said = line.trim();
    if (!said || said.startsWith("#")) return [];
    return [{ number: index + 1, indent: line.length - line.trimStart().length, text: said }];
  });
}

interface Place {
  line: number;
  block: Line[];
}

function keyAt(block: Line[], key: string): Place | null {
  const pattern = new RegExp(`^["']?${key.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}["']?\\s*:`);
  const depth = Math.min(...block.map(({ indent }) => indent), Number.POSITIVE_INFINITY);
  // JSON begins with a brace: its keys are one step further in.
  const candidates = block.filter(({ text }) => pattern.test(text));
  const line = candidates.find(({ indent }) => indent === depth) ?? candidates[0];
  return line ? { line: line.number, block: within(block, line) } : null;
}

function itemAt(block: Line[], index: number): Place | null {
  const depth = Math.min(...block.map(({ indent }) => indent), Number.POSITIVE_INFINITY);
  const line = block.filter(({ indent, text }) => indent === depth && /^-(\s|$)/.test(text))[index];
  if (!line) return null;
  // The first key of an item stands on its line, as far in as the others.
  const rest = line.text.replace(/^-\s*/, "");
  const own = { number: line.number, indent: line.indent + line.text.length - rest.length, text: rest };
  return { line: line.number, block: [...(rest ? [own] : []), ...within(block, line)] };
}

/** What belongs to a line: what stands further in, and items that stand as far in as their key. */
function within(block: Line[], line: Line): Line[] {
  const rest = block.slice(block.indexOf(line) + 1);
  const isItem = line.text.startsWith("-");
  const end = rest.findIndex(
    ({ indent, text }) =>
      indent < line.indent || (indent === line.indent && (isItem || !/^-(\s|$)/.test(text))),
  );
  return end < 0 ? rest : rest.slice(0, end);
}
