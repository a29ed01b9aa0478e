import { Alert, Button, Group, Progress, Text } from "@mantine/core";
import type { UploadState } from "../submit/useUpload";
import { spellBytes } from "../ui/Bytes";

/** An upload that is under way, or why it failed. */
export function UploadProgress({ upload: { name, bytes, sent, problem, cancel } }: { upload: UploadState }) {
  if (problem)
    return (
      <Alert
        color="red"
        variant="light"
        title={`${name} was not stored`}
        withCloseButton
        closeButtonLabel="Take this away"
        onClose={cancel}
      >
        {problem}
      </Alert>
    );
  return (
    <Group gap="sm" wrap="nowrap">
      <Text fz="sm" truncate>
        {name}
      </Text>
      <Progress
        flex={1}
        miw={60}
        value={bytes ? (sent / bytes) * 100 : 100}
        aria-label={`Upload of ${name}`}
      />
      <Text fz="sm" c="dimmed" className="tabular">
        {spellBytes(sent)} of {spellBytes(bytes)}
      </Text>
      <Button size="compact-sm" variant="default" onClick={cancel}>
        Give up
      </Button>
    </Group>
  );
}
