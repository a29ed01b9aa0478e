import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";

const schedules = createRoute({
  getParentRoute: () => shell,
  path: "/schedules",
  validateSearch: (search: Record<string, unknown>): { show?: "triggers" } =>
    search["show"] === "triggers" ? { show: "triggers" } : {},
  component: lazyRouteComponent(() => import("./SchedulesPage"), "SchedulesPage"),
});

const schedule = createRoute({
  getParentRoute: () => shell,
  path: "/schedules/$id",
  component: lazyRouteComponent(() => import("./SchedulePage"), "SchedulePage"),
});

/** Makes a schedule, or changes the one with this id. */
const editor = createRoute({
  getParentRoute: () => shell,
  path: "/schedule-editor",
  validateSearch: (search: Record<string, unknown>): { id?: string } =>
    typeof search["id"] === "string" ? { id: search["id"] } : {},
  component: lazyRouteComponent(() => import("./EditorPage"), "EditorPage"),
});

const trigger = createRoute({
  getParentRoute: () => shell,
  path: "/triggers/$id",
  component: lazyRouteComponent(() => import("./TriggerPage"), "TriggerPage"),
});

export const routes = [schedules, schedule, editor, trigger] as const;
