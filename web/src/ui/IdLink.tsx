import { Anchor, type AnchorProps } from "@mantine/core";
import { createLink, type LinkComponent } from "@tanstack/react-router";
import type { AnchorHTMLAttributes, Ref } from "react";
import classes from "./ui.module.css";

type LinkProps = AnchorProps &
  Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof AnchorProps> & { ref?: Ref<HTMLAnchorElement> };

function BareLink(props: LinkProps) {
  return <Anchor {...props} />;
}

const Routed = createLink(BareLink);

/** A link to a page of the monitor: `<TextLink to="/batches/$id" params={{ id }}>…</TextLink>`. */
export const TextLink: LinkComponent<typeof BareLink> = (props) => <Routed preload="intent" {...props} />;

/** The end of an id, which differs most, as a link to its execution. */
export function IdLink({ id }: { id: string }) {
  return (
    <TextLink to="/executions/$id" params={{ id }} className={classes.id} title={id}>
      …{id.slice(-8)}
    </TextLink>
  );
}
