import { describe, expect, it } from "vitest";
import { joinArgv, splitLine, UnfinishedLine, wantsShell } from "./argv";

describe("splitLine", () => {
  it.each([
    ["", []],
    ["  a   b ", ["a", "b"]],
    ["python train.py --rate=0.1", ["python", "train.py", "--rate=0.1"]],
    ["sh -c 'echo $HOME; ls'", ["sh", "-c", "echo $HOME; ls"]],
    ['echo "a b" c', ["echo", "a b", "c"]],
    ["a'b c'd", ["ab cd"]],
    ["''", [""]],
    ["a\\ b", ["a b"]],
    ['"a\\"b\\n"', ['a"b\\n']],
    ["'a\\b'", ["a\\b"]],
    ["a\\\nb", ["ab"]],
  ])("%j is %j", (line, words) => {
    expect(splitLine(line)).toEqual(words);
  });

  it.each(["'a", '"a', "a\\"])("%j is not finished", (line) => {
    expect(() => splitLine(line)).toThrow(UnfinishedLine);
  });
});

describe("joinArgv", () => {
  it.each([[["a", "b c", "it's", "", 'say "x"', "$HOME", "a\\b", "ü", "two\nlines"]], [["--top={{top}}"]]])(
    "%j comes back",
    (argv) => {
      expect(splitLine(joinArgv(argv))).toEqual(argv);
    },
  );

  it("leaves plain words as they are", () => {
    expect(joinArgv(["python", "-m", "a.b", "--x=1"])).toBe("python -m a.b --x=1");
  });
});

describe("wantsShell", () => {
  it.each(["ls | wc", "echo $HOME", "a && b", 'echo "$HOME"', "a > b", "ls *.csv", "'a | b"])(
    "%j does",
    (line) => {
      expect(wantsShell(line)).toBe(true);
    },
  );

  it.each(["echo 'a | b'", "echo a\\|b", "python -c 'print(1)'"])("%j does not", (line) => {
    expect(wantsShell(line)).toBe(false);
  });
});
