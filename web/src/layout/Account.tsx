import { Button, Menu, Text } from "@mantine/core";
import { IconBook, IconChartBar, IconKey, IconLogout, IconUser } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { logOut, useMe } from "../session/session";
import { showProblem } from "../ui/notify";
import classes from "./Shell.module.css";

/** Who one is, and the way out. */
export function Account() {
  const me = useMe();
  return (
    <Menu position="bottom-end" width={240} withArrow>
      <Menu.Target>
        <Button
          variant="subtle"
          color="gray"
          px="xs"
          aria-label={`Account of ${me.owner}`}
          leftSection={<IconUser size={18} stroke={1.6} />}
          classNames={{ section: classes.account }}
        >
          <Text component="span" fz="sm" maw="10rem" truncate visibleFrom="sm">
            {me.owner}
          </Text>
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <div style={{ padding: "0.5rem 0.75rem" }}>
          <Text fw={600} truncate>
            {me.owner}
          </Text>
          <Text fz="sm" c="dimmed">
            {me.scopes.join(", ")}
          </Text>
        </div>
        <Menu.Divider />
        <Menu.Item component={Link} to="/usage" leftSection={<IconChartBar size={16} />}>
          Usage and quota
        </Menu.Item>
        <Menu.Item component={Link} to="/tokens" leftSection={<IconKey size={16} />}>
          Tokens
        </Menu.Item>
        <Menu.Item component="a" href="/docs" leftSection={<IconBook size={16} />}>
          Reference of the API
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => logOut().catch(showProblem)}>
          Log out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
