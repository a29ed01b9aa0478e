import createClient, { type Middleware } from "openapi-fetch";
import { guestToken } from "../session/guest";
import { sessionEnded } from "../session/login";
import { problemOf, unreachable } from "./problem";
import type { paths } from "./schema";

/** A guest is known by what the page says, and not by who their browser is logged in as. */
const guests: Middleware = {
  onRequest({ request }) {
    const token = guestToken();
    if (token) request.headers.set("Authorization", `Bearer ${token}`);
  },
};

const problems: Middleware = {
  async onResponse({ response }) {
    if (response.ok || response.status === 304) return;
    if (response.status === 401) sessionEnded();
    throw await problemOf(response);
  },
  onError({ error }) {
    // One that was given up by the page is no failure.
    return error instanceof DOMException && error.name === "AbortError" ? error : unreachable();
  },
};

/** The one client of the API. It throws `ProblemError` for whatever is no success; see `ask`. */
export const api = createClient<paths>({ baseUrl: "", credentials: "same-origin" });
api.use(guests, problems);

/** What an answer says: `const me = await ask(api.GET("/v1/me"))`. Throws `ProblemError`. */
export async function ask<Answer extends { data?: unknown }>(
  call: Promise<Answer>,
): Promise<Exclude<Answer["data"], undefined>> {
  return (await call).data as Exclude<Answer["data"], undefined>;
}

/** A body that leaves out what the API has a default for; in the generated types such fields are always there. */
export function withDefaults<Body>(said: Partial<Body>): Body {
  return said as Body;
}
