import { describe, expect, it } from "vitest";
import { spansOf, styleAfter } from "./ansi";
import { drawn, luminance, rgbOf } from "./colors";

describe("colours of a line", () => {
  it("is one span without any", () => {
    expect(spansOf("a\x07b")).toEqual([{ text: "ab", style: null }]);
  });

  it("begins with what was on before", () => {
    const before = styleAfter("\x1b[31mred", null);
    expect(before).toEqual({ color: 1 });
    expect(spansOf("on \x1b[39moff", before)).toEqual([
      { text: "on ", style: { color: 1 } },
      { text: "off", style: null },
    ]);
    expect(spansOf("on", before)).toEqual([{ text: "on", style: { color: 1 } }]);
    expect(styleAfter("\x1b[mplain", before)).toBeNull();
  });

  it("begins and ends where the sequences say", () => {
    expect(spansOf("a \x1b[1;31mred\x1b[39m bold\x1b[m end")).toEqual([
      { text: "a ", style: null },
      { text: "red", style: { bold: true, color: 1 } },
      { text: " bold", style: { bold: true } },
      { text: " end", style: null },
    ]);
  });

  it.each([
    ["38;5;196", { color: 196 }],
    ["38;2;1;2;300", { color: [1, 2, 255] }],
    ["48:2::1:2:3", { background: [1, 2, 3] }],
    ["38:2:1:2:3", { color: [1, 2, 3] }],
    ["38:5:7;4", { color: 7, underline: true }],
    ["97;41", { color: 15, background: 1 }],
    ["4:3", { underline: true }],
    ["1;4;4:0", { bold: true }],
    ["38;5", null],
    ["38;9;1", null],
  ])("%s", (codes, style) => {
    const [span] = spansOf(`\x1b[${codes}mx`);
    if (style) expect(span).toEqual({ text: "x", style });
    else expect(span?.text).toBe("x");
  });

  it("drops what moves, erases and names windows", () => {
    expect(spansOf("\x1b[2K\x1b]0;name\x07\x1b[3;4Htext")).toEqual([{ text: "text", style: null }]);
  });

  it("leaves no character out", () => {
    const text = "x\x1b[31my\x1b[0mz\x1b[38;5;20mw";
    expect(
      spansOf(text)
        .map((span) => span.text)
        .join(""),
    ).toBe("xyzw");
  });
});

describe("how they are drawn", () => {
  it("lets the page decide how light a colour is that stands on its ground", () => {
    expect(drawn({ color: 1 }).css.color).toBe("var(--ansi-1)");
    expect(drawn({ color: [0, 0, 90] }).adapts).toBe(true);
  });

  it("takes both as they are where there is a background, or a text that can be read on it", () => {
    expect(drawn({ color: 15, background: 1 }).css).toEqual({
      color: "rgb(255 255 255)",
      backgroundColor: "rgb(178 24 24)",
    });
    for (let background = 0; background < 256; background += 1) {
      const { color } = drawn({ background }).css;
      const ground = luminance(rgbOf(background));
      const contrast = color === "rgb(255 255 255)" ? 1.05 / (ground + 0.05) : (ground + 0.05) / 0.055;
      expect(contrast, String(background)).toBeGreaterThan(4.2);
    }
  });

  it("swaps", () => {
    expect(drawn({ inverse: true }).css).toEqual({
      color: "var(--log-ground)",
      backgroundColor: "var(--log-text)",
    });
    expect(drawn({ inverse: true, color: 0, background: 15 }).css.backgroundColor).toBe("rgb(0 0 0)");
  });
});
