import { Menu, Text } from "@mantine/core";
import type { Icon } from "@tabler/icons-react";
import classes from "./Execution.module.css";

interface ActionItemProps {
  icon: Icon;
  label: string;
  /** What it does, where that is not plain. */
  about?: string;
  /** Why it cannot be done now; null if it can. */
  why?: string | null;
  /** An address instead of something to do. */
  href?: string;
  onClick?: () => void;
}

/** An entry of a menu of actions; one that cannot be used says why, and can be reached all the same. */
export function ActionItem({ icon: Icon, label, about, why = null, href, onClick }: ActionItemProps) {
  const said = why ?? about;
  const content = (
    <>
      {label}
      {said && (
        <Text fz="xs" c="dimmed">
          {said}
        </Text>
      )}
    </>
  );
  if (why !== null)
    return (
      <Menu.Item
        leftSection={<Icon size={16} />}
        aria-disabled
        className={classes.refused}
        closeMenuOnClick={false}
      >
        {content}
      </Menu.Item>
    );
  if (href !== undefined)
    return (
      <Menu.Item leftSection={<Icon size={16} />} component="a" href={href} download>
        {content}
      </Menu.Item>
    );
  return (
    <Menu.Item leftSection={<Icon size={16} />} onClick={onClick}>
      {content}
    </Menu.Item>
  );
}
