import { Skeleton, Table, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { TextLink } from "../ui/IdLink";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import ui from "../ui/ui.module.css";
import { quotasQuery } from "./queries";
import { spellLimits } from "./shares";
import classes from "./Usage.module.css";

/** Who has limits of their own, as ways to what they use. */
export function OwnersPanel({ shown }: { shown: string }) {
  const { data, error, isPending } = useQuery(quotasQuery);
  return (
    <section className={`${ui.panel} ${classes.panel}`} aria-label="Owners with limits of their own">
      <Title order={2}>Limits of their own</Title>
      <ProblemView error={error} />
      {isPending && <Skeleton h={80} />}
      {data?.items.length === 0 && (
        <Text fz="sm" c="dimmed">
          Nobody has any: the defaults hold for all. Look an owner up above to give them some.
        </Text>
      )}
      {data && data.items.length > 0 && (
        <Table fz="sm">
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">Owner</Table.Th>
              <Table.Th scope="col">Limits</Table.Th>
              <Table.Th scope="col" visibleFrom="sm">
                Given
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {data.items.map((limits) => (
              <Table.Tr key={limits.owner} aria-current={limits.owner === shown || undefined}>
                <Table.Td className={classes.owner}>
                  <TextLink to="/usage" search={{ owner: limits.owner }} fz="sm" fw={550}>
                    {limits.owner}
                  </TextLink>
                </Table.Td>
                <Table.Td>{spellLimits(limits) || "–"}</Table.Td>
                <Table.Td className={classes.narrow} visibleFrom="sm">
                  <RelativeTime at={limits.updated_at} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </section>
  );
}
