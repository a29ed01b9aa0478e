import { Alert, Code, Group, Text } from "@mantine/core";
import { IconKey } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { CopyButton } from "./CopyButton";

interface SecretOnceProps {
  title: string;
  /** What is shown now and never again. */
  value: string;
  /** What to do with it. */
  children?: ReactNode;
}

/** What an answer shows once, with a way to take it along. */
export function SecretOnce({ title, value, children }: SecretOnceProps) {
  return (
    <Alert color="race" variant="light" title={title} icon={<IconKey />}>
      <Group gap="xs" wrap="nowrap" my={4}>
        <Code block flex={1} miw={0} style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }}>
          {value}
        </Code>
        <CopyButton value={value} what="Copy it" />
      </Group>
      <Text fz="sm">It is shown only now. {children}</Text>
    </Alert>
  );
}
