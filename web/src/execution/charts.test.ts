import { describe, expect, it } from "vitest";
import { partsOf } from "./figures";
import { pointsOf, summaryOf } from "./samples";

const sample = (second: number, memory: number | null) => ({
  at: `2026-01-01T00:00:0${second}.000Z`,
  cpu_seconds: null,
  cores: null,
  memory,
  pids: null,
  disk: null,
});

describe("samples", () => {
  it("are points since the first, with gaps where nothing was measured", () => {
    const points = pointsOf([sample(1, 10), sample(3, null), sample(6, 30)], "memory");
    expect(points).toEqual([
      { at: 0, value: 10 },
      { at: 2, value: null },
      { at: 5, value: 30 },
    ]);
    expect(summaryOf(points, String)).toBe("from 10 to 30, 30 at last");
  });

  it("may be none", () => {
    expect(pointsOf([], "cores")).toEqual([]);
    expect(summaryOf([{ at: 0, value: null }], String)).toBe("nothing was measured");
  });
});

describe("a figure", () => {
  it("without a template looks like the page, but for what it says itself", () => {
    const { data, layout } = partsOf(
      {
        data: [{ type: "bar" }],
        layout: { width: 900, height: 10, font: { size: 20 }, yaxis: { gridcolor: "red" } },
      },
      "black",
      "grey",
    );
    expect(data).toEqual([{ type: "bar" }]);
    expect(layout).toMatchObject({
      paper_bgcolor: "transparent",
      font: { color: "black", size: 20 },
      xaxis: { gridcolor: "grey" },
      yaxis: { gridcolor: "red", zerolinecolor: "grey" },
      autosize: true,
    });
    expect(layout).not.toHaveProperty("width");
  });

  it("with a template keeps its own colours, on a paper of its own", () => {
    const { layout } = partsOf(
      { data: [], layout: { template: { layout: {} }, title: "x" } },
      "black",
      "grey",
    );
    expect(layout).toEqual({ template: { layout: {} }, title: "x", autosize: true });
  });

  it("of a shape that nobody foresaw is empty", () => {
    for (const value of [null, [], "text", { data: 7, layout: [] }])
      expect(partsOf(value, "black", "grey").data).toEqual([]);
  });
});
