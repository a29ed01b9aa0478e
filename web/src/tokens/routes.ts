import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";
import { isKind } from "./granting";
import type { TokenSearch } from "./queries";

const tokens = createRoute({
  getParentRoute: () => shell,
  path: "/tokens",
  validateSearch: ({ owner, kind, all }: Record<string, unknown>): TokenSearch => ({
    ...(typeof owner === "string" && owner && { owner }),
    ...(isKind(kind) && { kind }),
    ...(all === true && { all }),
  }),
  component: lazyRouteComponent(() => import("./TokensPage"), "TokensPage"),
});

export const routes = [tokens] as const;
