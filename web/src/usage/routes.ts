import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";

const usage = createRoute({
  getParentRoute: () => shell,
  path: "/usage",
  validateSearch: ({ owner }: Record<string, unknown>): { owner?: string } =>
    typeof owner === "string" && owner ? { owner } : {},
  component: lazyRouteComponent(() => import("./UsagePage"), "UsagePage"),
});

export const routes = [usage] as const;
