import { Link } from "@tanstack/react-router";
import { Fragment } from "react";
import type { Scope } from "../api/types";
import { useMe } from "../session/session";
import { REGIONS } from "./navigation";
import classes from "./Shell.module.css";

/** Where one can go. `onGo` is called when somebody does. */
export function Navigation({ onGo }: { onGo: () => void }) {
  const { scopes } = useMe();
  const isFor = (scope: Scope | undefined) => !scope || scopes.includes(scope) || scopes.includes("admin");
  return (
    <nav aria-label="Pages">
      {REGIONS.map(({ label, places }) => (
        <Fragment key={label}>
          <div className={classes.region}>{label}</div>
          {places
            .filter(({ scope }) => isFor(scope))
            .map(({ to, label: name, icon: Icon }) => (
              <Link
                key={to}
                to={to}
                className={classes.place}
                activeOptions={{ exact: to === "/", includeSearch: false }}
                onClick={onGo}
              >
                <Icon size={18} stroke={1.6} aria-hidden />
                {name}
              </Link>
            ))}
        </Fragment>
      ))}
    </nav>
  );
}
