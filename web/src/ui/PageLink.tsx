import type { ReactNode } from "react";
import classes from "./ui.module.css";

interface PageLinkProps {
  /** The address of a page of the monitor. */
  to: string;
  title?: string;
  className?: string;
  children: ReactNode;
}

/** A link to a page of the monitor for where there are hundreds: an element alone, which `followLinks` listens to. */
export function PageLink({ to, title, className = "", children }: PageLinkProps) {
  return (
    <a data-page href={to} title={title} className={`${classes.link} ${className}`}>
      {children}
    </a>
  );
}
