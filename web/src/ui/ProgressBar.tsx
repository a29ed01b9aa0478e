import { Group, Progress, Text } from "@mantine/core";
import type { Execution } from "../api/types";

interface ProgressBarProps {
  progress: Execution["progress"];
  /** Also say the phase, beside the percents. */
  withPhase?: boolean;
}

/** How far a program has said that it is. */
export function ProgressBar({ progress, withPhase = false }: ProgressBarProps) {
  if (!progress) return null;
  const percent = progress.percent;
  return (
    <Group gap={8} wrap="nowrap" w="100%">
      {percent != null && (
        <>
          <Progress
            value={percent}
            size="sm"
            flex={1}
            miw={40}
            color="var(--status-running)"
            aria-label={progress.phase ?? "Progress"}
          />
          <Text component="span" fz="xs" className="tabular" c="dimmed">
            {Math.round(percent)} %
          </Text>
        </>
      )}
      {withPhase && progress.phase && (
        <Text component="span" fz="sm" truncate>
          {progress.phase}
        </Text>
      )}
    </Group>
  );
}
