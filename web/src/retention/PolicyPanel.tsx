import { Text } from "@mantine/core";
import type { Schemas } from "../api/types";
import { Fact, FactList } from "../ui/Fact";
import { RelativeTime } from "../ui/RelativeTime";
import ui from "../ui/ui.module.css";

type Policy = Schemas["PolicyView"];

const PARTS: Record<keyof Policy, string> = {
  succeeded: "Records that succeeded",
  failed: "Records that failed, crashed or timed out",
  canceled: "Records that were canceled",
  outputs: "Outputs",
  checkpoints: "Checkpoints",
  logs: "Logs",
  files: "Uploaded files that nothing has as input",
};

/** How long each is kept. */
export function PolicyPanel({ retention: { policy, since } }: { retention: Schemas["RetentionView"] }) {
  return (
    <section className={ui.panel} style={{ padding: "0.9rem 1rem" }} aria-label="The policy">
      <FactList>
        {Object.entries(PARTS).map(([name, title]) => (
          <Fact key={name} name={title}>
            {spellDays(policy[name as keyof Policy])}
          </Fact>
        ))}
      </FactList>
      <Text component="div" fz="sm" c="dimmed" mt="sm">
        Set by the workers (<code>TAILRACE_RETENTION_…</code>), changed last <RelativeTime at={since} />.
      </Text>
    </section>
  );
}

function spellDays(days: number | null): string {
  if (days === null) return "for ever";
  return days === 1 ? "1 day" : `${days} days`;
}
