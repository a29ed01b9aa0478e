import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { queries } from "../api/queries";
import { shell } from "../layout/routes";
import { statsQuery } from "../stats/queries";
import { poolsQuery } from "../workers/queries";
import { DEFAULT_SPAN, isSpan, SPANS, type Span } from "./spans";

const home = createRoute({
  getParentRoute: () => shell,
  path: "/",
  validateSearch: ({ span }: Record<string, unknown>): { span?: Span } =>
    isSpan(span) && span !== DEFAULT_SPAN ? { span } : {},
  loaderDeps: ({ search: { span = DEFAULT_SPAN } }) => SPANS[span],
  // The numbers and the charts come together with the page, instead of one after the other.
  loader: ({ deps: { seconds, step } }) => {
    void queries.prefetchQuery(statsQuery(seconds, step));
    void queries.prefetchQuery(poolsQuery);
    void import("./ThroughputChart");
    void import("./QueueChart");
  },
  component: lazyRouteComponent(() => import("./HomePage"), "HomePage"),
});

export const routes = [home] as const;
