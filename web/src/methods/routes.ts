import { createRoute, lazyRouteComponent } from "@tanstack/react-router";
import { shell } from "../layout/routes";

export const TABS = ["inputs", "document", "versions", "settings"] as const;
export type Tab = (typeof TABS)[number];

const text = (value: unknown): string | undefined => (typeof value === "string" && value ? value : undefined);

/** Those that are texts, of the parameters of an address that anybody may have written. */
function texts<Name extends string>(
  search: Record<string, unknown>,
  names: readonly Name[],
): { [name in Name]?: string } {
  const found = names.flatMap((name) => (text(search[name]) ? [[name, text(search[name])]] : []));
  return Object.fromEntries(found) as { [name in Name]?: string };
}

const methods = createRoute({
  getParentRoute: () => shell,
  path: "/methods",
  validateSearch: (search: Record<string, unknown>): { q?: string; retired?: "any" } => ({
    ...texts(search, ["q"]),
    ...(search["retired"] === "any" ? { retired: "any" as const } : {}),
  }),
  component: lazyRouteComponent(() => import("./MethodsPage"), "MethodsPage"),
});

const method = createRoute({
  getParentRoute: () => shell,
  path: "/methods/$name",
  validateSearch: (
    search: Record<string, unknown>,
  ): { version?: string; from?: string; to?: string; tab?: Tab } => {
    const tab = TABS.find((each) => each === search["tab"]);
    return { ...texts(search, ["version", "from", "to"]), ...(tab ? { tab } : {}) };
  },
  component: lazyRouteComponent(() => import("./MethodPage"), "MethodPage"),
});

/** No path below `/methods`: any word there may be a method's name. */
const editor = createRoute({
  getParentRoute: () => shell,
  path: "/method-editor",
  validateSearch: (search: Record<string, unknown>) => texts(search, ["name", "version"]),
  component: lazyRouteComponent(() => import("./EditorPage"), "EditorPage"),
});

export const routes = [methods, method, editor] as const;
