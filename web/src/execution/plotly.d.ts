declare module "plotly.js-basic-dist-min" {
  /** As much of Plotly as we use. */
  interface Plotly {
    newPlot(element: HTMLElement, data: unknown, layout: object, config: object): Promise<unknown>;
    purge(element: HTMLElement): void;
    Plots: { resize(element: HTMLElement): void };
  }
  const plotly: Plotly;
  export default plotly;
}
