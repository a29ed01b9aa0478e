import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";

const workers = createRoute({
  getParentRoute: () => shell,
  path: "/workers",
  validateSearch: (raw: Record<string, unknown>): { gone?: true } =>
    raw["gone"] === true ? { gone: true } : {},
  component: lazyRouteComponent(() => import("./WorkersPage"), "WorkersPage"),
});

export const routes = [workers] as const;
