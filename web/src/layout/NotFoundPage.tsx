import { Button } from "@mantine/core";
import { IconMapOff } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { EmptyState } from "../ui/EmptyState";

/** For addresses that no page has. */
export function NotFoundPage() {
  return (
    <EmptyState
      icon={IconMapOff}
      title="There is no such page"
      text="The address may be mistyped, or what was here has been deleted."
      action={
        <Button component={Link} to="/" variant="default">
          To the start
        </Button>
      }
    />
  );
}
