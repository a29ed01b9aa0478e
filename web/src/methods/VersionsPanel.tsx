import { Paper, Select, Skeleton, Stack, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import type { Schemas } from "../api/types";
import { TextLink } from "../ui/IdLink";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { StateMark } from "../ui/StateMark";
import own from "../ui/ui.module.css";
import classes from "./Methods.module.css";
import { diffQuery, type Method } from "./queries";

const route = getRouteApi("/shell/methods/$name");
const TONES = { published: "good", draft: "idle", retired: "bad" } as const;
const WORDS = { published: "Published", draft: "Draft", retired: "Retired" };

/** All versions, and what differs between two of them. */
export function VersionsPanel({ method }: { method: Method }) {
  const { from, to } = route.useSearch();
  const navigate = route.useNavigate();
  const versions = method.versions.map(({ version }) => version);
  const [newest = "", before = ""] = versions;
  const one = from ?? before;
  const other = to ?? newest;
  return (
    <div className={classes.split}>
      <Stack gap="md">
        <Title order={2} fz="md">
          What differs
        </Title>
        {versions.length < 2 ? (
          <Text c="dimmed">There is one version only.</Text>
        ) : (
          <>
            <div style={{ display: "flex", flexWrap: "wrap", gap: "1rem" }}>
              <Select
                label="From"
                data={versions}
                value={one}
                allowDeselect={false}
                onChange={(next) =>
                  next && void navigate({ search: (all) => ({ ...all, from: next }), replace: true })
                }
              />
              <Select
                label="To"
                data={versions}
                value={other}
                allowDeselect={false}
                onChange={(next) =>
                  next && void navigate({ search: (all) => ({ ...all, to: next }), replace: true })
                }
              />
            </div>
            <Differences name={method.name} from={one} to={other} />
          </>
        )}
      </Stack>
      <Paper withBorder radius="md" component="section" aria-label="Versions">
        <Table>
          <Table.Tbody>
            {method.versions.map((each) => (
              <Table.Tr key={each.version}>
                <Table.Td>
                  <TextLink
                    to="/methods/$name"
                    params={{ name: method.name }}
                    search={{ version: each.version }}
                  >
                    {each.version}
                  </TextLink>
                </Table.Td>
                <Table.Td>
                  <StateMark tone={TONES[each.status]}>
                    {each.version === method.latest ? "Latest" : WORDS[each.status]}
                  </StateMark>
                </Table.Td>
                <Table.Td ta="right">
                  <RelativeTime at={each.published_at} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Paper>
    </div>
  );
}

function Differences({ name, from, to }: { name: string; from: string; to: string }) {
  const diff = useQuery(diffQuery(name, from, to));
  if (diff.error) return <ProblemView error={diff.error} />;
  if (!diff.data) return <Skeleton h={120} radius="md" />;
  if (diff.data.changes.length === 0) return <Text c="dimmed">Nothing but the version.</Text>;
  return (
    <section className={own.panel} aria-label={`From ${from} to ${to}`}>
      {diff.data.changes.map((change) => (
        <Change key={change.path} change={change} />
      ))}
    </section>
  );
}

function Change({ change }: { change: Schemas["ChangeView"] }) {
  return (
    <div className={classes.change}>
      <code>{change.path}</code>{" "}
      <Text component="span" fz="xs" c="dimmed">
        {change.change}
      </Text>
      {change.change !== "added" && <Side value={change.from} color="var(--status-failed)" sign="−" />}
      {change.change !== "removed" && <Side value={change.to} color="var(--status-succeeded)" sign="+" />}
    </div>
  );
}

function Side({ value, color, sign }: { value: unknown; color: string; sign: string }) {
  return (
    <code className={classes.side} style={{ "--side": color }}>
      {sign} {typeof value === "string" ? value : JSON.stringify(value, null, 2)}
    </code>
  );
}
