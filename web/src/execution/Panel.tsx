import { Group, Title } from "@mantine/core";
import { type ReactNode, useId } from "react";
import ui from "../ui/ui.module.css";
import classes from "./Execution.module.css";

interface PanelProps {
  title: string;
  /** Beside the title. */
  aside?: ReactNode;
  children: ReactNode;
}

/** A part of the page under a heading of its own. */
export function Panel({ title, aside, children }: PanelProps) {
  const id = useId();
  return (
    <section className={`${ui.panel} ${classes.box}`} aria-labelledby={id}>
      <Group justify="space-between" gap="xs" mb="xs" mih={28}>
        <Title order={2} id={id} className={classes.heading}>
          {title}
        </Title>
        {aside}
      </Group>
      {children}
    </section>
  );
}
