import { Alert } from "@mantine/core";
import type { Icon } from "@tabler/icons-react";
import type { ReactNode } from "react";

interface NoteProps {
  title?: string;
  icon?: Icon;
  children?: ReactNode;
}

/** Something that one should know before going on, and that is no failure. */
export function Note({ title, icon: Icon, children }: NoteProps) {
  return (
    <Alert
      color="yellow"
      variant="light"
      icon={Icon && <Icon />}
      title={title}
      // Yellow on yellow nobody can read.
      styles={{
        title: { color: "var(--mantine-color-text)" },
        message: { color: "var(--mantine-color-text)" },
      }}
    >
      {children}
    </Alert>
  );
}
