import { ActionIcon, Checkbox, Indicator, NativeSelect, Popover, Stack, Tooltip } from "@mantine/core";
import { IconAdjustmentsHorizontal } from "@tabler/icons-react";
import type { Stream } from "./frames";
import { LEVELS, type Level, STREAMS } from "./query";

export interface Filter {
  streams: readonly Stream[];
  level: Level | null;
}

const WORDS: Record<Stream, string> = {
  stdout: "Output",
  stderr: "Errors (stderr)",
  system: "What Tailrace did",
};

/** Which lines are shown: of which streams, from which level on. */
export function FilterButton({ filter, onFilter }: { filter: Filter; onFilter: (filter: Filter) => void }) {
  const isOn = filter.streams.length < STREAMS.length || filter.level !== null;
  return (
    <Popover position="bottom-end" withArrow trapFocus>
      <Popover.Target>
        <Tooltip label="Streams and levels">
          <Indicator disabled={!isOn} size={8} offset={4}>
            <ActionIcon
              variant={isOn ? "light" : "subtle"}
              color={isOn ? undefined : "gray"}
              aria-label="Streams and levels"
            >
              <IconAdjustmentsHorizontal size={18} />
            </ActionIcon>
          </Indicator>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap="sm">
          <Checkbox.Group
            label="Streams"
            value={[...filter.streams]}
            onChange={(chosen) => {
              const streams = STREAMS.filter((stream) => chosen.includes(stream));
              // None at all would be an empty page.
              if (streams.length > 0) onFilter({ ...filter, streams });
            }}
          >
            <Stack gap={6} mt={6}>
              {STREAMS.map((stream) => (
                <Checkbox key={stream} size="xs" value={stream} label={WORDS[stream]} />
              ))}
            </Stack>
          </Checkbox.Group>
          <NativeSelect
            label="Level"
            size="xs"
            value={filter.level ?? ""}
            onChange={(event) => {
              const chosen = event.currentTarget.value;
              onFilter({ ...filter, level: LEVELS.find((level) => level === chosen) ?? null });
            }}
            data={[
              { value: "", label: "All lines" },
              ...LEVELS.map((level) => ({
                value: level,
                label: level === "fatal" ? "fatal" : `${level} and above`,
              })),
            ]}
          />
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}
