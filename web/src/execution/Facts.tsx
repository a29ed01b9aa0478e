import type { ReactNode } from "react";
import classes from "./Execution.module.css";

export type Fact = readonly [name: string, value: ReactNode];

/** Names and values: in columns side by side, or `wide`, one below the other. */
export function Facts({ facts, wide = false }: { facts: readonly Fact[]; wide?: boolean }) {
  return (
    <dl className={wide ? classes.wideFacts : classes.facts}>
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value ?? "–"}</dd>
        </div>
      ))}
    </dl>
  );
}
