import { Box } from "@mantine/core";
import { CopyButton } from "./CopyButton";
import classes from "./ui.module.css";

/** A value as indented JSON, to read and to copy. */
export function JsonView({ value, label = "JSON" }: { value: unknown; label?: string }) {
  const text = JSON.stringify(value, null, 2) ?? "null";
  return (
    <Box pos="relative">
      <Box pos="absolute" top={8} right={8}>
        <CopyButton value={text} what="Copy as JSON" />
      </Box>
      {/* It scrolls, so keys have to reach it. */}
      <section className={classes.json} aria-label={label} tabIndex={0}>
        <pre style={{ margin: 0 }}>{text}</pre>
      </section>
    </Box>
  );
}
