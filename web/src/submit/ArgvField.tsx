import { Button, Group, Text, Textarea } from "@mantine/core";
import { useState } from "react";
import { joinArgv, splitLine, UnfinishedLine, wantsShell } from "./argv";
import { useBlock, useBound } from "./form";
import classes from "./Submit.module.css";

interface ArgvFieldProps {
  path: string;
  label: string;
  description?: string;
  placeholder?: string;
}

/** A list of arguments, typed as a line, and shown as what it is split into. */
export function ArgvField({ path, label, description, placeholder }: ArgvFieldProps) {
  const { id, value, error, set } = useBound(path);
  const argv = Array.isArray(value) ? value.map(String) : [];
  const [line, setLine] = useState(joinArgv(argv));
  const wrong = reasonOf(line);
  useBlock(path, wrong && `${label}: ${wrong}`);

  function change(written: string): void {
    setLine(written);
    if (reasonOf(written) === null) set(written.trim() ? splitLine(written) : undefined);
  }

  return (
    <div>
      <Textarea
        id={id}
        className={classes.mono}
        label={label}
        description={description}
        placeholder={placeholder}
        error={wrong ?? error}
        value={line}
        onChange={(event) => change(event.currentTarget.value)}
        autosize
        minRows={1}
        maxRows={10}
        spellCheck={false}
        autoCapitalize="off"
      />
      {argv.length > 0 && (
        <ol className={classes.words} aria-label={`${label}, argument by argument`}>
          {argv.map((word, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: they are what stands at that place
            <li key={index} className={classes.word}>
              {word || '""'}
            </li>
          ))}
        </ol>
      )}
      {wrong === null && wantsShell(line) && (
        <Group gap="xs" mt={6}>
          <Text fz="xs" c="dimmed">
            No shell sees this: pipes, variables and patterns are plain text.
          </Text>
          <Button size="compact-xs" variant="light" onClick={() => change(joinArgv(["sh", "-c", line]))}>
            Run it in a shell
          </Button>
        </Group>
      )}
    </div>
  );
}

function reasonOf(line: string): string | null {
  try {
    splitLine(line);
    return null;
  } catch (error) {
    return error instanceof UnfinishedLine ? error.message : String(error);
  }
}
