import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";

const notifications = createRoute({
  getParentRoute: () => shell,
  path: "/notifications",
  component: lazyRouteComponent(() => import("./NotificationsPage"), "NotificationsPage"),
});

const rule = createRoute({
  getParentRoute: () => shell,
  path: "/notifications/$id",
  component: lazyRouteComponent(() => import("./RulePage"), "RulePage"),
});

export const routes = [notifications, rule] as const;
