import { Text } from "@mantine/core";
import { IconEye } from "@tabler/icons-react";
import type { Schemas } from "../api/types";
import { inFull } from "../ui/time";
import classes from "./Shared.module.css";

/** Who shows it, until when, and what that allows. */
export function SharedNote({ share: { made_by, expires_at } }: { share: Schemas["SharedView"] }) {
  return (
    <aside className={classes.note} aria-label="About this share">
      <IconEye size={18} aria-hidden />
      <Text component="p" fz="sm" m={0}>
        <strong>Shared by {made_by}</strong>, to look at and to download, not to change, until{" "}
        <time dateTime={expires_at}>{inFull(expires_at)}</time>.
      </Text>
    </aside>
  );
}
