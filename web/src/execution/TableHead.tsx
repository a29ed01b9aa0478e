import { ScrollArea, Table, Text } from "@mantine/core";
import type { Schemas } from "../api/types";

interface TableHeadProps {
  columns: readonly Schemas["ColumnView"][];
  rows: readonly (readonly unknown[])[];
  label: string;
}

const NUMBERS: readonly string[] = ["integer", "number"];

/** The first rows of a table. */
export function TableHead({ columns, rows, label }: TableHeadProps) {
  return (
    <ScrollArea.Autosize mah="32rem" viewportProps={{ tabIndex: 0, role: "region", "aria-label": label }}>
      <Table stickyHeader striped fz="xs" verticalSpacing={4} className="tabular" withTableBorder>
        <Table.Thead>
          <Table.Tr>
            {columns.map(({ name, type }, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: columns may have one name, and never move
              <Table.Th key={at} scope="col" ta={NUMBERS.includes(type) ? "right" : "left"}>
                {name}
                <Text fz="xs" c="dimmed" fw={400}>
                  {type}
                </Text>
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((row, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other name, and never move
            <Table.Tr key={index}>
              {columns.map(({ type }, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: as above
                <Table.Td key={at} ta={NUMBERS.includes(type) ? "right" : "left"}>
                  {cell(row[at])}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </ScrollArea.Autosize>
  );
}

function cell(value: unknown): string {
  return value === null || value === undefined ? "" : String(value);
}
