/** Why a line is no list of arguments. */
export class UnfinishedLine extends Error {}

/** What a shell would do something with, and a list of arguments does not. */
const OPERATORS = /[|&;<>$`*?~#\n]/;

interface Splitting {
  words: string[];
  /** The word that is being read; null between words. */
  word: string | null;
  /** In which quotes. */
  quote: '"' | "'" | null;
  /** Whether it had anything outside of quotes that only a shell understands. */
  wantsShell: boolean;
}

/** The words of a line as a POSIX shell splits it, without expanding anything. Raises `UnfinishedLine`. */
export function splitLine(line: string): string[] {
  return split(line).words;
}

/** Whether a line has pipes, variables or such, for which it takes a shell. */
export function wantsShell(line: string): boolean {
  try {
    return split(line).wantsShell;
  } catch {
    return OPERATORS.test(line);
  }
}

/** A line that is split into these arguments again. */
export function joinArgv(argv: readonly string[]): string {
  return argv.map(quoted).join(" ");
}

/** A word of a line, in quotes where it needs some. */
export function quoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'"'"'`)}'`;
}

function split(line: string): Splitting {
  const state: Splitting = { words: [], word: null, quote: null, wantsShell: false };
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at);
    if (char === "\\" && state.quote !== "'") {
      at += 1;
      if (at >= line.length) throw new UnfinishedLine("A backslash at the end has nothing to stand before.");
      state.word = (state.word ?? "") + escaped(line.charAt(at), state.quote);
    } else if (state.quote) readQuoted(state, char);
    else readBare(state, char);
  }
  if (state.quote) throw new UnfinishedLine(`A ${state.quote} is not closed.`);
  if (state.word !== null) state.words.push(state.word);
  return state;
}

/** What a backslash makes of a character: in double quotes it is taken away before some only. */
function escaped(char: string, quote: Splitting["quote"]): string {
  if (char === "\n") return "";
  return quote === '"' && !'"\\$`'.includes(char) ? `\\${char}` : char;
}

function readQuoted(state: Splitting, char: string): void {
  if (char === state.quote) state.quote = null;
  else {
    if (state.quote === '"' && "$`".includes(char)) state.wantsShell = true;
    state.word += char;
  }
}

function readBare(state: Splitting, char: string): void {
  if (char === '"' || char === "'") {
    state.quote = char;
    state.word ??= "";
  } else if (/\s/.test(char)) {
    if (state.word !== null) state.words.push(state.word);
    state.word = null;
  } else {
    if (OPERATORS.test(char)) state.wantsShell = true;
    state.word = (state.word ?? "") + char;
  }
}
