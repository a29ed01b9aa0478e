import { List, Text } from "@mantine/core";
import type { Refusal } from "./bulk";

const NAMED = 5;

interface RefusedProps {
  refused: readonly Refusal[];
  nameOf: (id: string) => string;
}

/** Whom something was not done to, by name, each with why and what to do; of many the first few. */
export function Refused({ refused, nameOf }: RefusedProps) {
  const more = refused.length - NAMED;
  return (
    <>
      <List fz="sm" spacing={2}>
        {refused.slice(0, NAMED).map(({ id, why: { detail, hint } }) => (
          <List.Item key={id}>
            <b>{nameOf(id)}</b>: {detail} {hint}
          </List.Item>
        ))}
      </List>
      {more > 0 && <Text fz="sm">and {more.toLocaleString()} more.</Text>}
    </>
  );
}
