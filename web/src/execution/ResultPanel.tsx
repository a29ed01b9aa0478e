import { Alert, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconFileOff } from "@tabler/icons-react";
import type { Execution } from "../api/types";
import { EmptyState } from "../ui/EmptyState";
import { JsonView } from "../ui/JsonView";
import { Panel } from "./Panel";

/** What its program has to say: a result of its own, and warnings; ours beside them. */
export function ResultPanel({ record }: { record: Execution }) {
  return (
    <Stack>
      <Warnings warnings={record.warnings} />
      {record.result == null ? (
        <EmptyState
          icon={IconFileOff}
          title="No result"
          text="A program may hand one over, as JSON, in its events: it is shown here."
        />
      ) : (
        <Panel title="Result">
          <JsonView value={record.result} label="Result" />
        </Panel>
      )}
    </Stack>
  );
}

function Warnings({ warnings }: { warnings: readonly unknown[] }) {
  if (warnings.length === 0) return null;
  return (
    <Alert variant="default" icon={<IconAlertTriangle color="var(--status-paused)" />} title="Warnings">
      <Stack gap={4}>
        {warnings.map((warning, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: they have no other name, and only grow
          <Text key={index} fz="sm">
            {textOf(warning)}
          </Text>
        ))}
      </Stack>
    </Alert>
  );
}

/** The program's are texts, ours `{code, message}`. */
function textOf(warning: unknown): string {
  if (typeof warning === "string") return warning;
  if (typeof warning === "object" && warning !== null && "message" in warning) return String(warning.message);
  return JSON.stringify(warning);
}
