import { Text, Tooltip } from "@mantine/core";
import type { Connection } from "../live/feed";
import classes from "./Shell.module.css";

const SAYS: Record<Connection, { word: string; sentence: string }> = {
  connecting: { word: "Connecting", sentence: "Asking the API for what happens." },
  live: { word: "Live", sentence: "Whatever happens is shown at once." },
  waiting: {
    word: "Reconnecting",
    sentence: "The connection broke off. It is tried again; nothing that happens meanwhile is lost.",
  },
};

/** Whether what is shown is as it is at this moment. */
export function ConnectionMark({ connection }: { connection: Connection }) {
  const { word, sentence } = SAYS[connection];
  return (
    <Tooltip label={sentence} multiline maw={260}>
      <div className={classes.connection} role="status" aria-label={word}>
        <span className={classes.dot} data-connection={connection} />
        <Text component="span" fz="sm" visibleFrom={connection === "live" ? "lg" : "sm"}>
          {word}
        </Text>
      </div>
    </Tooltip>
  );
}
