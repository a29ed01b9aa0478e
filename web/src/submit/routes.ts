import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";

/** What a form begins with. */
export interface SubmitSearch {
  /** `name` or `name@1.2.0`. */
  method?: string;
  profile?: string;
  /** An execution that is run again. */
  rerun?: string;
  /** The same, from its last checkpoint. */
  resume_from?: string;
  by?: "method" | "image";
  /** What a schedule submits is edited: which of its targets. */
  schedule?: string;
  target?: number;
  /** What a trigger submits is edited. */
  trigger?: string;
}

const submit = createRoute({
  getParentRoute: () => shell,
  path: "/submit",
  validateSearch: (search: Record<string, unknown>): SubmitSearch => {
    const { by, target } = search;
    const texts = ["method", "profile", "rerun", "resume_from", "schedule", "trigger"].filter(
      (name) => typeof search[name] === "string",
    );
    return {
      ...Object.fromEntries(texts.map((name) => [name, search[name]])),
      ...(by === "method" || by === "image" ? { by } : {}),
      ...(typeof target === "number" ? { target } : {}),
    };
  },
  component: lazyRouteComponent(() => import("./SubmitPage"), "SubmitPage"),
});

export const routes = [submit] as const;
