import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";
import { readSearch } from "./search";

const audit = createRoute({
  getParentRoute: () => shell,
  path: "/audit",
  validateSearch: readSearch,
  component: lazyRouteComponent(() => import("./AuditPage"), "AuditPage"),
});

export const routes = [audit] as const;
