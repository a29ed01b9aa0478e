import { describe, expect, it } from "vitest";
import { drawsOver, lastState, stripEscapes } from "./content";

describe("lines that are written over", () => {
  it.each([
    ["plain", "plain"],
    ["windows\r", "windows"],
    ["10%\r20%\r30%", "30%"],
    ["10%\r20%\r", "20%"],
    ["text\r\x1b[K", "\x1b[K"],
    ["text\r\x1b[31m\x1b[0m", "text"],
    ["\r", ""],
  ])("%j is left as %j", (text, left) => expect(lastState(text)).toBe(left));

  it("keeps the return of one that may go on", () => {
    expect(lastState("10%\r20%\r", true)).toBe("20%\r");
    expect(lastState("\r20%", true)).toBe("20%");
  });

  it("knows what leaves nothing of what stood before", () => {
    expect(drawsOver("\r20%")).toBe(true);
    expect(drawsOver("rest\r")).toBe(false);
    expect(drawsOver("rest")).toBe(false);
  });
});

describe("escape sequences", () => {
  it.each([
    ["\x1b[1;31mred\x1b[0m", "red"],
    ["\x1b]0;title\x07text", "text"],
    ["\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"],
    ["\x1b[2K\x1b[1Gmoved", "moved"],
    ["\x1b]0;no end", "0;no end"],
    ["\x1b(Bcharset", "charset"],
  ])("%j shows %j", (text, shown) => expect(stripEscapes(text)).toBe(shown));
});
