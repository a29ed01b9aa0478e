import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { readSearch } from "../execution/search";
import { root } from "../layout/routes";

/** In no shell: a guest has nowhere else to go. */
const shared = createRoute({
  getParentRoute: () => root,
  path: "/shared/$id",
  validateSearch: readSearch,
  component: lazyRouteComponent(() => import("./SharedPage"), "SharedPage"),
});

export const routes = [shared] as const;
