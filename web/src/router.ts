import { createRouter } from "@tanstack/react-router";
import { parseSearch, stringifySearch } from "./api/addresses";
import { routes as audit } from "./audit/routes";
import { routes as batches } from "./batches/routes";
import { routes as executions } from "./executions/routes";
import { routes as files } from "./files/routes";
import { routes as home } from "./home/routes";
import { ErrorPage } from "./layout/ErrorPage";
import { NotFoundPage } from "./layout/NotFoundPage";
import { nothing, root, shell } from "./layout/routes";
import { routes as logs } from "./logs/routes";
import { routes as methods } from "./methods/routes";
import { routes as notifications } from "./notifications/routes";
import { routes as retention } from "./retention/routes";
import { routes as schedules } from "./schedules/routes";
import { routes as secrets } from "./secrets/routes";
import { routes as shared } from "./shared/routes";
import { routes as submit } from "./submit/routes";
import { routes as tokens } from "./tokens/routes";
import { routes as usage } from "./usage/routes";
import { routes as webhooks } from "./webhooks/routes";
import { routes as workers } from "./workers/routes";

export const router = createRouter({
  routeTree: root.addChildren([
    ...shared,
    shell.addChildren([
      ...home,
      ...executions,
      ...logs,
      ...submit,
      ...methods,
      ...schedules,
      ...batches,
      ...workers,
      ...tokens,
      ...webhooks,
      ...usage,
      ...secrets,
      ...audit,
      ...notifications,
      ...files,
      ...retention,
      nothing,
    ]),
  ]),
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  // What was fetched is kept by the queries' own cache.
  defaultPreloadStaleTime: 0,
  defaultErrorComponent: ErrorPage,
  defaultNotFoundComponent: NotFoundPage,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
