import { Alert, Button, Group, Table, Text } from "@mantine/core";
import { IconUsers } from "@tabler/icons-react";
import type { Overtaken } from "../api/changing";

interface OvertakenViewProps {
  error: Overtaken;
  /** How a field is called beside its input. */
  nameOf?: (field: string) => string;
  /** Do it all the same. */
  onAgain(): void;
  /** Do without. */
  onLeave(): void;
}

/** What somebody else has changed meanwhile, beside what is wanted; whoever sees it decides. */
export function OvertakenView({ error, nameOf = (field) => field, onAgain, onLeave }: OvertakenViewProps) {
  return (
    <Alert variant="default" title={error.title} icon={<IconUsers />} role="alert">
      <Text fz="sm">{error.detail}</Text>
      <Table aria-label="What was changed meanwhile" my="xs">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>What</Table.Th>
            <Table.Th>Was</Table.Th>
            <Table.Th>Is now</Table.Th>
            <Table.Th>Yours</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {error.clashes.map(({ field, was, now, wanted }) => (
            <Table.Tr key={field}>
              <Table.Td>{nameOf(field)}</Table.Td>
              <Table.Td>{shown(was)}</Table.Td>
              <Table.Td>{shown(now)}</Table.Td>
              <Table.Td>{shown(wanted)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <Group gap="xs">
        <Button size="compact-sm" onClick={onAgain}>
          Take mine
        </Button>
        <Button size="compact-sm" variant="default" onClick={onLeave}>
          Leave theirs
        </Button>
      </Group>
    </Alert>
  );
}

function shown(value: unknown): string {
  if (value === null || value === undefined || value === "") return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}
