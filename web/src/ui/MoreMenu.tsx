import { Button, Menu } from "@mantine/core";
import { IconChevronDown, IconTrash } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { ask } from "./ConfirmButton";

/** What can be done besides, behind a button. */
export function MoreMenu({ loading = false, children }: { loading?: boolean; children: ReactNode }) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" loading={loading} rightSection={<IconChevronDown size={16} />}>
          More
        </Button>
      </Menu.Target>
      <Menu.Dropdown>{children}</Menu.Dropdown>
    </Menu>
  );
}

interface DeleteItemProps {
  /** The question, as a sentence. */
  question: string;
  consequence: string;
  disabled?: boolean;
  onConfirm: () => Promise<unknown>;
}

/** Deletes, after a question; the last item of a menu. */
export function DeleteItem({ disabled = false, ...question }: DeleteItemProps) {
  return (
    <Menu.Item
      color="red"
      leftSection={<IconTrash size={16} />}
      disabled={disabled}
      onClick={() => ask({ ...question, confirm: "Delete" })}
    >
      Delete
    </Menu.Item>
  );
}
