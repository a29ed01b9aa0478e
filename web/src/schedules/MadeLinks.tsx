import { Group } from "@mantine/core";
import type { Schemas } from "../api/types";
import { IdLink, TextLink } from "../ui/IdLink";

/** Ways to what was submitted. */
export function MadeLinks({ made }: { made: readonly Schemas["Made"][] }) {
  if (made.length === 0) return <span>–</span>;
  return (
    <Group gap="xs" wrap="nowrap" component="span">
      {made.slice(0, 3).map(({ execution, batch }) =>
        execution ? (
          <IdLink key={execution} id={execution} />
        ) : (
          batch && (
            <TextLink key={batch} to="/batches/$id" params={{ id: batch }}>
              batch …{batch.slice(-8)}
            </TextLink>
          )
        ),
      )}
      {made.length > 3 && <span>and {made.length - 3} more</span>}
    </Group>
  );
}
