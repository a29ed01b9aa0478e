import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";
import { DELIVERIES, type Delivery } from "./sending";

const webhooks = createRoute({
  getParentRoute: () => shell,
  path: "/webhooks",
  component: lazyRouteComponent(() => import("./WebhooksPage"), "WebhooksPage"),
});

const isState = (value: unknown): value is Delivery["state"] =>
  typeof value === "string" && value in DELIVERIES;

const webhook = createRoute({
  getParentRoute: () => shell,
  path: "/webhooks/$id",
  validateSearch: ({ state }: Record<string, unknown>): { state?: Delivery["state"] } =>
    isState(state) ? { state } : {},
  component: lazyRouteComponent(() => import("./WebhookPage"), "WebhookPage"),
});

export const routes = [webhooks, webhook] as const;
