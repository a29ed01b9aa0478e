import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";

export const USUAL_DAYS = 7;
const MOST_DAYS = 3650;

const retention = createRoute({
  getParentRoute: () => shell,
  path: "/retention",
  validateSearch: ({ days }: Record<string, unknown>): { days?: number } =>
    typeof days === "number" && Number.isInteger(days) && days >= 0 && days <= MOST_DAYS ? { days } : {},
  component: lazyRouteComponent(() => import("./RetentionPage"), "RetentionPage"),
});

export const routes = [retention] as const;
