import type { CSSProperties } from "react";
import type { Color, Style } from "./ansi";

type Rgb = readonly [number, number, number];

/** The first 16 of the palette where a program sets the background, too: then it is as the program means it. */
const FIXED: readonly Rgb[] = [
  [0, 0, 0],
  [178, 24, 24],
  [24, 128, 24],
  [163, 116, 0],
  [32, 74, 178],
  [150, 40, 150],
  [0, 128, 138],
  [204, 208, 212],
  [96, 104, 112],
  [240, 90, 80],
  [88, 205, 98],
  [240, 205, 70],
  [100, 150, 255],
  [230, 120, 230],
  [80, 215, 220],
  [255, 255, 255],
];
const CUBE = [0, 95, 135, 175, 215, 255] as const;
const DARK: Rgb = [11, 15, 19];
const LIGHT: Rgb = [255, 255, 255];
/** Of black and of white text the same contrast. */
const MIDDLE = 0.18;

/** How a style is drawn. `adapts` has its colour made lighter or darker until it can be read on the page's ground. */
export function drawn(style: Style): { css: CSSProperties; adapts: boolean } {
  const [color, background] = style.inverse
    ? [style.background, style.color]
    : [style.color, style.background];
  const lines = [style.underline && "underline", style.strike && "line-through"].filter(Boolean);
  const css: CSSProperties = {};
  if (style.bold) css.fontWeight = 700;
  if (style.dim) css.opacity = 0.72;
  if (style.italic) css.fontStyle = "italic";
  if (lines.length > 0) css.textDecoration = lines.join(" ");
  if (style.hidden) css.visibility = "hidden";
  if (background !== undefined) return { css: { ...css, ...onGround(color, background) }, adapts: false };
  if (style.inverse) {
    const text = color === undefined ? "var(--log-ground)" : paint(rgbOf(color));
    return { css: { ...css, color: text, backgroundColor: "var(--log-text)" }, adapts: false };
  }
  if (color === undefined) return { css, adapts: false };
  if (typeof color === "number" && color < 16)
    return { css: { ...css, color: `var(--ansi-${color})` }, adapts: false };
  return { css: { ...css, ["--said" as string]: paint(rgbOf(color)) }, adapts: true };
}

function onGround(color: Color | undefined, background: Color): CSSProperties {
  const ground = rgbOf(background);
  const text = color === undefined ? (luminance(ground) > MIDDLE ? DARK : LIGHT) : rgbOf(color);
  return { color: paint(text), backgroundColor: paint(ground) };
}

/** A colour of the palette of 256, or as it is. */
export function rgbOf(color: Color): Rgb {
  if (typeof color !== "number") return color;
  const fixed = FIXED[color];
  if (fixed) return fixed;
  if (color >= 232) {
    const grey = 8 + (color - 232) * 10;
    return [grey, grey, grey];
  }
  const place = color - 16;
  return [CUBE[Math.floor(place / 36)] ?? 0, CUBE[Math.floor(place / 6) % 6] ?? 0, CUBE[place % 6] ?? 0];
}

function paint([red, green, blue]: Rgb): string {
  return `rgb(${red} ${green} ${blue})`;
}

/** As WCAG reckons it, 0 to 1. */
export function luminance(rgb: Rgb): number {
  const [red = 0, green = 0, blue = 0] = rgb.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
