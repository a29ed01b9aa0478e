import { Button, type ButtonProps, Tooltip } from "@mantine/core";
import type { ReactNode, Ref } from "react";

interface ActionButtonProps extends ButtonProps {
  /** Why it cannot be done now; null if it can. */
  why: string | null;
  onClick?: () => void;
  children: ReactNode;
  ref?: Ref<HTMLButtonElement>;
}

/** A button that stays where it is when it cannot be used, can be reached all the same, and says why. */
export function ActionButton({ why, onClick, children, ...props }: ActionButtonProps) {
  const refused = why !== null || undefined;
  return (
    <Tooltip label={why} disabled={!why} multiline maw={280}>
      <Button
        variant="default"
        size="sm"
        {...props}
        aria-disabled={refused}
        data-disabled={refused}
        onClick={why === null ? onClick : undefined}
      >
        {children}
      </Button>
    </Tooltip>
  );
}
