import { Anchor, type AnchorProps, Text } from "@mantine/core";
import { createLink, type LinkComponent } from "@tanstack/react-router";
import type { AnchorHTMLAttributes, Ref } from "react";
import { isGuest } from "../session/guest";
import classes from "./ui.module.css";

type LinkProps = AnchorProps &
  Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof AnchorProps> & { ref?: Ref<HTMLAnchorElement> };

/** Guests may see none of these pages: to them it is words. */
function BareLink(props: LinkProps) {
  if (!isGuest()) return <Anchor {...props} />;
  const { children, className, fz, title } = props;
  return (
    <Text component="span" className={className} fz={fz} title={title}>
      {children}
    </Text>
  );
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
