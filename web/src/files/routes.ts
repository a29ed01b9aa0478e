import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";

const files = createRoute({
  getParentRoute: () => shell,
  path: "/files",
  validateSearch: ({ name }: Record<string, unknown>): { name?: string } =>
    (typeof name === "string" || typeof name === "number") && name !== "" ? { name: String(name) } : {},
  component: lazyRouteComponent(() => import("./FilesPage"), "FilesPage"),
});

export const routes = [files] as const;
