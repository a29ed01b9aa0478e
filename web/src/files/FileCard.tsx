import { Group, Stack, Text } from "@mantine/core";
import { Bytes } from "../ui/Bytes";
import { RelativeTime } from "../ui/RelativeTime";
import { FileLink } from "./columns";
import { DeleteFile } from "./DeleteFile";
import type { StoredFile } from "./queries";

/** A file on a narrow screen. */
export function FileCard({ file, mayDelete }: { file: StoredFile; mayDelete: boolean }) {
  return (
    <Stack gap={4}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Text component="div" truncate miw={0}>
          <FileLink file={file} />
        </Text>
        {mayDelete && <DeleteFile file={file} />}
      </Group>
      <Text component="div" fz="xs" c="dimmed" truncate>
        <Bytes value={file.bytes} />, {file.owner}, <RelativeTime at={file.created_at} />
      </Text>
    </Stack>
  );
}
