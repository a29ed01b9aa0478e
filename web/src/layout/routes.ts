import { createRootRoute, createRoute } from "@tanstack/react-router";
import { queries } from "../api/queries";
import { meQuery } from "../session/session";
import { NotFoundPage } from "./NotFoundPage";
import { Shell } from "./Shell";

export const root = createRootRoute();

/** What every page is in. Nothing of it is shown to who is not logged in: then the client goes to `/login`. */
export const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  component: Shell,
  loader: () => queries.ensureQueryData(meQuery),
});

/** Whatever is none of them. */
export const nothing = createRoute({ getParentRoute: () => shell, path: "$", component: NotFoundPage });
