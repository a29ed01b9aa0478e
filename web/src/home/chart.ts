/** How high charts are, and what stands in their place until they are there. */
export const CHART_HEIGHT = 230;
