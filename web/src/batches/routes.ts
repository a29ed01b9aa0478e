import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";

const batches = createRoute({
  getParentRoute: () => shell,
  path: "/batches",
  component: lazyRouteComponent(() => import("./BatchesPage"), "BatchesPage"),
});

const batch = createRoute({
  getParentRoute: () => shell,
  path: "/batches/$id",
  component: lazyRouteComponent(() => import("./BatchPage"), "BatchPage"),
});

export const routes = [batches, batch] as const;
