import { useDocumentTitle } from "@mantine/hooks";
import { IconLinkOff } from "@tabler/icons-react";
import { EmptyState } from "../ui/EmptyState";

/** In place of what is shown to guests no longer, or never was. */
export function NotShown({ title, text }: { title: string; text: string }) {
  useDocumentTitle(`${title} · Tailrace`);
  return (
    <EmptyState
      icon={IconLinkOff}
      title={title}
      text={`${text} Whoever has sent you the link can make another one.`.trim()}
    />
  );
}
