import { Menu } from "@mantine/core";
import { IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";

interface EnableItemProps {
  enabled: boolean;
  onChange: (enabled: boolean) => void;
}

/** In a menu: switch something off, or on again. */
export function EnableItem({ enabled, onChange }: EnableItemProps) {
  const Icon = enabled ? IconPlayerPause : IconPlayerPlay;
  return (
    <Menu.Item leftSection={<Icon size={16} />} onClick={() => onChange(!enabled)}>
      {enabled ? "Disable" : "Enable"}
    </Menu.Item>
  );
}
