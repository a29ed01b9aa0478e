import { StateMark } from "../ui/StateMark";
import { useCoarseNow } from "../ui/time";
import { standingOf, type Webhook } from "./sending";

/** How a webhook stands, in a word. */
export function WebhookMark({ webhook }: { webhook: Webhook }) {
  const { word, tone, why } = standingOf(webhook, useCoarseNow());
  return (
    <span title={why ?? undefined}>
      <StateMark tone={tone}>{word}</StateMark>
    </span>
  );
}
