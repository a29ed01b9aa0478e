import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { readSearch as readExecutionSearch } from "../execution/search";
import { shell } from "../layout/routes";
import { readSearch } from "./search";

const executions = createRoute({
  getParentRoute: () => shell,
  path: "/executions",
  validateSearch: readSearch,
  component: lazyRouteComponent(() => import("./ExecutionsPage"), "ExecutionsPage"),
});

const archive = createRoute({
  getParentRoute: () => shell,
  path: "/archive",
  validateSearch: readSearch,
  component: lazyRouteComponent(() => import("./ArchivePage"), "ArchivePage"),
});

const execution = createRoute({
  getParentRoute: () => shell,
  path: "/executions/$id",
  validateSearch: readExecutionSearch,
  component: lazyRouteComponent(() => import("./ExecutionPage"), "ExecutionPage"),
});

export const routes = [executions, archive, execution] as const;
