import { Group, Stack, Title } from "@mantine/core";
import { useDocumentTitle } from "@mantine/hooks";
import type { ReactNode } from "react";

interface PageProps {
  title: string;
  /** Beside the title: what can be done. */
  actions?: ReactNode;
  /** Under the title, in a few words. */
  lead?: ReactNode;
  children: ReactNode;
}

/** A page with its title, in the window's too. */
export function Page({ title, actions, lead, children }: PageProps) {
  useDocumentTitle(`${title} · Tailrace`);
  return (
    <Stack gap="md">
      <Group justify="space-between" align="flex-start" gap="sm">
        <Stack gap={2} flex="1 1 9rem" miw={0}>
          <Title order={1}>{title}</Title>
          {lead}
        </Stack>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Stack>
  );
}
