/** Samples of usage as points of a chart. Pure. */
import type { Schemas } from "../api/types";

export type Measure = "cores" | "memory";

export interface Point {
  /** Seconds since the first sample. */
  at: number;
  value: number | null;
}

export function pointsOf(samples: readonly Schemas["UsageSample"][], measure: Measure): Point[] {
  const [first] = samples;
  if (!first) return [];
  const begin = Date.parse(first.at);
  return samples.map((sample) => ({
    at: Math.round((Date.parse(sample.at) - begin) / 100) / 10,
    value: sample[measure],
  }));
}

/** The most, the least and the last of it, in words, for those who do not see the chart. */
export function summaryOf(points: readonly Point[], said: (value: number) => string): string {
  const values = points.flatMap(({ value }) => (value === null ? [] : [value]));
  const last = values.at(-1);
  if (last === undefined) return "nothing was measured";
  return `from ${said(Math.min(...values))} to ${said(Math.max(...values))}, ${said(last)} at last`;
}
