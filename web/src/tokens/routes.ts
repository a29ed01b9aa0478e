import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";
import type { TokenSearch } from "./queries";

const tokens = createRoute({
  getParentRoute: () => shell,
  path: "/tokens",
  validateSearch: ({ owner, all }: Record<string, unknown>): TokenSearch => ({
    ...(typeof owner === "string" && owner && { owner }),
    ...(all === true && { all }),
  }),
  component: lazyRouteComponent(() => import("./TokensPage"), "TokensPage"),
});

export const routes = [tokens] as const;
