import { Skeleton, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Page } from "../layout/Page";
import { Fact, FactList } from "../ui/Fact";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import ui from "../ui/ui.module.css";
import { NotificationLog } from "./NotificationLog";
import { ruleQuery } from "./queries";
import { RuleActions } from "./RuleActions";
import { RuleMark } from "./RuleMark";
import { type Rule, spellOfWhat, spellWhen } from "./telling";

const route = getRouteApi("/shell/notifications/$id");

/** One rule: when it tells what, and what was said. */
export function RulePage() {
  const { id } = route.useParams();
  const { data: rule, error } = useQuery(ruleQuery(id));
  if (!rule)
    return (
      <Page title="Notification">
        {error ? <ProblemView error={error} /> : <Skeleton h={300} radius="md" />}
      </Page>
    );
  return (
    <Page
      title={rule.description ?? `By ${rule.channel}`}
      lead={<Text c="dimmed">{spellWhen(rule)}</Text>}
      actions={<RuleActions rule={rule} />}
    >
      <Facts rule={rule} />
      <Title order={2}>What was said</Title>
      <NotificationLog rule={rule} />
    </Page>
  );
}

function Facts({ rule }: { rule: Rule }) {
  return (
    <section className={ui.panel} style={{ padding: "0.9rem 1rem" }} aria-label="How it is set">
      <FactList>
        <Fact name="State">
          <RuleMark rule={rule} />
        </Fact>
        <Fact name="By">{rule.channel}</Fact>
        <Fact name="Of what">{spellOfWhat(rule)}</Fact>
        <Fact name="Owner">{rule.owner === "*" ? "everybody" : rule.owner}</Fact>
        <Fact name="Changed">
          <RelativeTime at={rule.updated_at} />
        </Fact>
      </FactList>
    </section>
  );
}
