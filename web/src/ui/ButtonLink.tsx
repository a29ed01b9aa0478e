import { Button, type ButtonProps } from "@mantine/core";
import { createLink, type LinkComponent } from "@tanstack/react-router";
import type { AnchorHTMLAttributes, Ref } from "react";

interface LinkProps extends ButtonProps, Omit<AnchorHTMLAttributes<HTMLAnchorElement>, keyof ButtonProps> {
  ref?: Ref<HTMLAnchorElement>;
}

function BareLink(props: LinkProps) {
  return <Button component="a" {...props} />;
}

const Routed = createLink(BareLink);

/** A button that leads to a page of the monitor: `<ButtonLink to="/submit" search={{ method }}>…</ButtonLink>`. */
export const ButtonLink: LinkComponent<typeof BareLink> = (props) => <Routed preload="intent" {...props} />;
