import { ActionIcon, Button } from "@mantine/core";
import { IconPlus, IconX } from "@tabler/icons-react";

interface RemoveRowProps {
  /** What is in the row. */
  what: string;
  /** Its fields have labels above them. */
  isLabeled?: boolean;
  onClick: () => void;
}

/** Takes a row away, at its end. */
export function RemoveRow({ what, isLabeled = false, onClick }: RemoveRowProps) {
  return (
    <ActionIcon
      variant="subtle"
      color="gray"
      size="input-sm"
      mt={isLabeled ? 25 : 0}
      aria-label={`Remove ${what}`}
      onClick={onClick}
    >
      <IconX size={16} />
    </ActionIcon>
  );
}

/** One row more, under them. */
export function AddRow({ children, onClick }: { children: string; onClick: () => void }) {
  return (
    <div>
      <Button size="compact-sm" variant="default" leftSection={<IconPlus size={14} />} onClick={onClick}>
        {children}
      </Button>
    </div>
  );
}
