import { Group, Progress, Text } from "@mantine/core";

interface SlotsProps {
  busy: number;
  slots: number;
  /** Whose, for who does not see it. */
  of: string;
}

/** How many of the slots are taken. */
export function Slots({ busy, slots, of }: SlotsProps) {
  const percent = slots > 0 ? Math.min(100, (busy / slots) * 100) : 0;
  return (
    <Group gap={8} wrap="nowrap">
      <Progress
        value={percent}
        size="sm"
        flex={1}
        miw={40}
        maw={160}
        color="var(--status-running)"
        aria-label={`Slots of ${of} in use`}
      />
      <Text component="span" fz="sm" className="tabular">
        {busy} of {slots}
      </Text>
    </Group>
  );
}
