import { ActionIcon, Checkbox, Popover, Stack, Tooltip } from "@mantine/core";
import { IconColumns3 } from "@tabler/icons-react";
import { COLUMNS } from "./columns";

interface ColumnsMenuProps {
  shown: readonly string[];
  onChange: (shown: string[]) => void;
}

/** Which columns are shown. */
export function ColumnsMenu({ shown, onChange }: ColumnsMenuProps) {
  return (
    <Popover position="bottom-end" withArrow shadow="md" trapFocus>
      <Popover.Target>
        <Tooltip label="Columns">
          <ActionIcon variant="default" size={36} aria-label="Columns">
            <IconColumns3 size={18} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <Checkbox.Group value={[...shown]} onChange={onChange} label="Columns">
          <Stack gap={8} mt={8}>
            {COLUMNS.map(({ id, title }) => (
              <Checkbox key={id} value={id} label={title} size="sm" />
            ))}
          </Stack>
        </Checkbox.Group>
      </Popover.Dropdown>
    </Popover>
  );
}
