import type { ReactNode } from "react";
import classes from "./ui.module.css";

/** Facts of one thing, each by its name: `<FactList><Fact name="Owner">ann</Fact></FactList>`. */
export function FactList({ children }: { children: ReactNode }) {
  return <dl className={classes.facts}>{children}</dl>;
}

/** One of them. */
export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
