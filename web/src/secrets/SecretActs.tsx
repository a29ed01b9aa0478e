import { ActionIcon, Group, Tooltip } from "@mantine/core";
import { IconReplace, IconTrash } from "@tabler/icons-react";
import type { Secret } from "./queries";

/** What can be done with a secret of the list. */
export interface Acts {
  onReplace: (secret: Secret) => void;
  onDelete: (secret: Secret) => void;
}

/** Replace its value, or delete it. */
export function SecretActs({ secret, acts }: { secret: Secret; acts: Acts }) {
  const buttons = [
    { label: `Replace the value of ${secret.name}`, icon: IconReplace, act: acts.onReplace },
    { label: `Delete ${secret.name}`, icon: IconTrash, act: acts.onDelete },
  ];
  return (
    <Group gap={4} wrap="nowrap" justify="flex-end">
      {buttons.map(({ label, icon: Icon, act }) => (
        <Tooltip key={label} label={label}>
          <ActionIcon variant="subtle" color="gray" aria-label={label} onClick={() => act(secret)}>
            <Icon size={16} />
          </ActionIcon>
        </Tooltip>
      ))}
    </Group>
  );
}
