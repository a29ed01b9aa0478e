import { ActionIcon, Button, FileButton, Group, Stack, Text, Textarea, Tooltip } from "@mantine/core";
import { IconEye, IconEyeOff, IconFile } from "@tabler/icons-react";
import { useState } from "react";
import { spellBytes } from "../ui/Bytes";
import classes from "./Secrets.module.css";

const MOST = 32 * 1024;
/** What is shorter logs do not hide: it would be found everywhere. */
const SHORTEST_HIDDEN = 6;

interface ValueFieldProps {
  value: string;
  error: string | undefined;
  onChange(value: string): void;
}

/** The value of a secret: one line, a key of many, or what a file has. Covered, until it is to be looked at. */
export function ValueField({ value, error, onChange }: ValueFieldProps) {
  const [isShown, setShown] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const bytes = new TextEncoder().encode(value).length;
  const tooLarge = bytes > MOST ? `It has ${spellBytes(bytes)}; the most is 32 KiB.` : null;

  async function take(file: File | null): Promise<void> {
    if (!file) return;
    const read = await textOf(file);
    setFault(read.fault);
    if (read.text !== null) onChange(read.text);
  }

  const says = isShown ? "Cover the value" : "Look at the value";
  return (
    <Stack gap={6}>
      <Textarea
        label="Value"
        description="At most 32 KiB. Nobody gets it back from here."
        withAsterisk
        autosize
        minRows={2}
        maxRows={8}
        spellCheck={false}
        autoComplete="off"
        classNames={{ input: isShown ? classes.shown : classes.covered }}
        value={value}
        error={fault ?? tooLarge ?? error}
        onChange={({ currentTarget }) => {
          setFault(null);
          onChange(currentTarget.value);
        }}
        rightSection={
          <Tooltip label={says}>
            <ActionIcon variant="subtle" color="gray" aria-label={says} onClick={() => setShown(!isShown)}>
              {isShown ? <IconEyeOff size={16} /> : <IconEye size={16} />}
            </ActionIcon>
          </Tooltip>
        }
      />
      <Group gap="sm">
        <FileButton onChange={(file) => void take(file)}>
          {(props) => (
            <Button {...props} size="compact-sm" variant="default" leftSection={<IconFile size={14} />}>
              From a file
            </Button>
          )}
        </FileButton>
        {value !== "" && (
          <Text fz="sm" c="dimmed">
            {spellBytes(bytes)}
            {value.endsWith("\n") && ", with a line break at its end"}
            {bytes < SHORTEST_HIDDEN && ": too short to be hidden in logs"}
          </Text>
        )}
      </Group>
    </Stack>
  );
}

/** What stands in a file, if that can be a secret. */
async function textOf(file: File): Promise<{ text: string | null; fault: string | null }> {
  if (file.size > MOST) return { text: null, fault: `${file.name} has more than 32 KiB.` };
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(await file.arrayBuffer());
    return { text, fault: null };
  } catch {
    return { text: null, fault: `${file.name} is no text in UTF-8.` };
  }
}
