/** Plotly figures, drawn as the page looks. Pure. */

export interface FigureParts {
  data: unknown[];
  layout: Record<string, unknown>;
}

/** A figure's parts. One with a template of its own brings its colours; else they are the page's. */
export function partsOf(value: unknown, text: string, line: string): FigureParts {
  const figure = isObject(value) ? value : {};
  const data = Array.isArray(figure["data"]) ? figure["data"] : [];
  const own = isObject(figure["layout"]) ? figure["layout"] : {};
  const { width: _, height: __, ...layout } = own;
  if (isObject(own["template"])) return { data, layout: { ...layout, autosize: true } };
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line };
  const axes = Object.fromEntries(
    ["xaxis", "yaxis"].map((name) => [name, { ...axis, ...(isObject(own[name]) ? own[name] : {}) }]),
  );
  return {
    data,
    layout: {
      paper_bgcolor: "transparent",
      plot_bgcolor: "transparent",
      margin: { t: own["title"] ? 48 : 24, r: 24, b: 48, l: 56 },
      ...layout,
      ...axes,
      font: { color: text, ...(isObject(own["font"]) ? own["font"] : {}) },
      autosize: true,
    },
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
