import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";

const log = createRoute({
  getParentRoute: () => shell,
  path: "/executions/$id/log",
  component: lazyRouteComponent(() => import("./LogPage"), "LogPage"),
});

export const routes = [log] as const;
