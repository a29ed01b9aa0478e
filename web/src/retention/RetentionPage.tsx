import { Group, NumberInput, Skeleton, Text, Title } from "@mantine/core";
import { IconHourglass } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { Schemas } from "../api/types";
import { Page } from "../layout/Page";
import { useMay } from "../session/session";
import { Note } from "../ui/Note";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { DueTable } from "./DueTable";
import { PolicyPanel } from "./PolicyPanel";
import { retentionQuery } from "./queries";
import { USUAL_DAYS } from "./routes";

const route = getRouteApi("/shell/retention");

/** What is kept how long, and what goes next. */
export function RetentionPage() {
  const { days = USUAL_DAYS } = route.useSearch();
  const navigate = route.useNavigate();
  const isAdmin = useMay("admin");
  const { data: retention, error } = useQuery({ ...retentionQuery(days), enabled: isAdmin });
  return (
    <Page
      title="Retention"
      lead={<Text c="dimmed">What is kept how long, and what goes next. Nothing is removed by looking.</Text>}
    >
      {!isAdmin && <Note title="This is for administrators">A record says itself when it goes.</Note>}
      <ProblemView error={error} />
      {isAdmin && !retention && !error && <Skeleton h={300} radius="md" />}
      {retention && (
        <>
          <PolicyPanel retention={retention} />
          {isNew(retention) && (
            <Note icon={IconHourglass} title="The policy is new">
              It takes effect <RelativeTime at={retention.in_force_at} />: nothing goes by it before.
            </Note>
          )}
          <Group justify="space-between" align="flex-end" gap="sm">
            <Title order={2}>What goes</Title>
            <NumberInput
              label="Within days"
              w="8rem"
              min={0}
              max={3650}
              allowDecimal={false}
              value={days}
              onChange={(next) =>
                typeof next === "number" && void navigate({ search: { days: next }, replace: true })
              }
            />
          </Group>
          <DueTable retention={retention} />
        </>
      )}
    </Page>
  );
}

/** Whether there is a policy by which something would go, if it were in force. */
function isNew({ policy, in_force_at }: Schemas["RetentionView"]): boolean {
  return Date.parse(in_force_at) > Date.now() && Object.values(policy).some((days) => days !== null);
}
