import { Anchor, Group, Text } from "@mantine/core";
import type { ReactNode } from "react";
import mark from "../favicon.svg";
import { ColorScheme } from "../layout/ColorScheme";
import classes from "./Shared.module.css";

interface SharedFrameProps {
  id: string;
  /** How the connection stands. */
  aside?: ReactNode;
  children: ReactNode;
}

/** What is around a page for guests: no navigation, for there is nothing else that they may see. */
export function SharedFrame({ id, aside, children }: SharedFrameProps) {
  return (
    <>
      <header className={classes.header}>
        <Group gap="xs" wrap="nowrap">
          <img src={mark} alt="" width={28} height={28} />
          <Text component="span" fw={650} fz="lg">
            Tailrace
          </Text>
        </Group>
        <Group gap={4} wrap="nowrap" ml="auto">
          {aside}
          <ColorScheme />
          {/* No link of the router: that page is another's who looks at it, and is loaded by itself. */}
          <Anchor href={`/executions/${id}`} fz="sm" className={classes.own}>
            Open as yourself
          </Anchor>
        </Group>
      </header>
      <main id="main" className={classes.main}>
        {children}
      </main>
    </>
  );
}
