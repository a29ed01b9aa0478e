import { Stack, Text, Title } from "@mantine/core";
import type { Icon } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./ui.module.css";

interface EmptyStateProps {
  icon: Icon;
  title: string;
  /** What would be here, or what to do. */
  text?: ReactNode;
  action?: ReactNode;
}

/** In place of what there is nothing of. */
export function EmptyState({ icon: Icon, title, text, action }: EmptyStateProps) {
  return (
    <Stack align="center" gap="xs" py="xl" px="md" ta="center">
      <Icon size={40} stroke={1.2} className={classes.dimmed} aria-hidden />
      <Title order={2}>{title}</Title>
      {text && (
        <Text c="dimmed" maw="32rem">
          {text}
        </Text>
      )}
      {action}
    </Stack>
  );
}
