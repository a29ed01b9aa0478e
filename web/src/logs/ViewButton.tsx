import { ActionIcon, Kbd, Popover, Radio, Stack, Switch, Table, Tooltip } from "@mantine/core";
import { IconSettings } from "@tabler/icons-react";
import type { Times } from "./moment";
import type { Preferences } from "./preferences";

interface ViewButtonProps {
  preferences: Preferences;
  onChange: (change: Partial<Preferences>) => void;
}

const TIMES: Record<Times, string> = { off: "Off", local: "Local time", relative: "Since its start" };
const KEYS = [
  ["/", "search"],
  ["n", "next match"],
  ["p", "previous match"],
  ["g", "beginning"],
  ["G", "end"],
  ["f", "follow"],
  ["w", "wrap"],
  ["j", "choose the line below"],
  ["k", "choose the line above"],
  ["J", "choose down to there, too"],
  ["K", "choose up to there, too"],
  ["c", "copy what is chosen"],
  ["Esc", "choose nothing"],
] as const;

/** How lines are shown, and the keys. */
export function ViewButton({ preferences, onChange }: ViewButtonProps) {
  return (
    <Popover position="bottom-end" withArrow trapFocus>
      <Popover.Target>
        <Tooltip label="How lines are shown, and keys">
          <ActionIcon variant="subtle" color="gray" aria-label="How lines are shown, and keys">
            <IconSettings size={18} />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="sm">
          <Switch
            size="xs"
            label="Wrap long lines"
            checked={preferences.wrap}
            onChange={(event) => onChange({ wrap: event.currentTarget.checked })}
          />
          <Switch
            size="xs"
            label="Line numbers"
            checked={preferences.numbers}
            onChange={(event) => onChange({ numbers: event.currentTarget.checked })}
          />
          <Radio.Group
            label="Times"
            value={preferences.times}
            onChange={(times) => onChange({ times: times as Times })}
          >
            <Stack gap={6} mt={6}>
              {Object.entries(TIMES).map(([times, label]) => (
                <Radio key={times} size="xs" value={times} label={label} />
              ))}
            </Stack>
          </Radio.Group>
          <Table fz="xs" verticalSpacing={2} withRowBorders={false} aria-label="Keys">
            <Table.Tbody>
              {KEYS.map(([key, does]) => (
                <Table.Tr key={key}>
                  <Table.Td>
                    <Kbd size="xs">{key}</Kbd>
                  </Table.Td>
                  <Table.Td>{does}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
