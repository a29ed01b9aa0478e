import type { Execution } from "../api/types";
import { TextLink } from "../ui/IdLink";

/** A child of a batch by its key, else its name, else its id. */
export function ChildLink({ child }: { child: Execution }) {
  const said = child.lineage.batch?.key ?? child.name ?? `…${child.id.slice(-8)}`;
  return (
    <TextLink to="/executions/$id" params={{ id: child.id }} title={said} fw={550}>
      {said}
    </TextLink>
  );
}
