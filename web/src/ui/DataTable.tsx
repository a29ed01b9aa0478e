import { Checkbox, Table, Text, UnstyledButton } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useRef } from "react";
import classes from "./DataTable.module.css";

/** One column: what stands in it, and how wide it is. */
export interface Column<Row> {
  id: string;
  title: string;
  cell: (row: Row) => ReactNode;
  /** Pixels; of all columns without one the rest is shared. */
  width?: number;
  align?: "right";
  /** What `sort` is to be when somebody asks for it by this column; `-` comes before it for the other way round. */
  sort?: string;
}

/** Which rows are chosen, by their keys. */
export interface Selection {
  chosen: ReadonlySet<string>;
  onChange: (chosen: ReadonlySet<string>) => void;
}

interface DataTableProps<Row> {
  /** What it is a table of, for who does not see it. */
  label: string;
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  rowKey: (row: Row) => string;
  /** What a row is called, for who does not see it. */
  rowName?: (row: Row) => string;
  /** On narrow screens, in place of columns. */
  card?: (row: Row) => ReactNode;
  selection?: Selection;
  sort?: string | undefined;
  onSort?: (sort: string) => void;
  /** Called when the end comes near, while there is more. */
  onEnd?: (() => void) | undefined;
  /** Instead of rows, where there are none. */
  empty?: ReactNode;
  rowHeight?: number;
  cardHeight?: number;
  /** How high it may be, as CSS has it; in a `Fill` it takes what is left. It scrolls in itself. */
  height?: string;
}

const NARROW = "(max-width: 47.99em)";
const NEAR_END = 40;

/** A table of any number of rows, of which only those in sight are drawn. */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const {
    rows,
    card,
    empty,
    onEnd,
    rowHeight = 44,
    cardHeight = 108,
    height = "calc(100dvh - 15rem)",
  } = props;
  const isNarrow = useMediaQuery(NARROW, matchMedia(NARROW).matches);
  const asCards = Boolean(card) && isNarrow;
  const viewport = useRef<HTMLDivElement>(null);
  const size = asCards ? cardHeight : rowHeight;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => viewport.current,
    estimateSize: () => size,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (onEnd && last >= rows.length - NEAR_END) onEnd();
  }, [onEnd, last, rows.length]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: heights are other ones then
  useEffect(() => virtual.measure(), [asCards]);
  if (rows.length === 0 && empty) return empty;
  const visible = items.flatMap(({ index }) => {
    const row = rows[index];
    return row === undefined ? [] : [{ row, index }];
  });
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <section
      ref={viewport}
      className={classes.viewport}
      style={{ maxHeight: height }}
      aria-label={props.label}
      tabIndex={0}
    >
      {asCards && card ? (
        <div style={{ paddingTop: before, paddingBottom: after }}>
          {visible.map(({ row }) => (
            <div key={props.rowKey(row)} className={classes.card} style={{ height: cardHeight }}>
              {props.selection && <RowCheckbox {...props} selection={props.selection} row={row} />}
              <div className={classes.content}>{card(row)}</div>
            </div>
          ))}
        </div>
      ) : (
        <Table
          className={classes.table}
          aria-rowcount={rows.length + 1}
          layout="fixed"
          style={{ minWidth: widthOf(props) }}
        >
          <Head {...props} />
          <Table.Tbody>
            <Gap height={before} />
            {visible.map(({ row, index }) => (
              <Table.Tr
                key={props.rowKey(row)}
                aria-rowindex={index + 2}
                data-chosen={props.selection?.chosen.has(props.rowKey(row)) || undefined}
                style={{ height: rowHeight }}
              >
                {props.selection && (
                  <Table.Td>
                    <RowCheckbox {...props} selection={props.selection} row={row} />
                  </Table.Td>
                )}
                {props.columns.map((column) => (
                  <Table.Td key={column.id} className={classes.cell} ta={column.align}>
                    {column.cell(row)}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
            <Gap height={after} />
          </Table.Tbody>
        </Table>
      )}
    </section>
  );
}

function Head<Row>({ columns, rows, rowKey, selection, sort, onSort }: DataTableProps<Row>) {
  const chosen = selection ? rows.filter((row) => selection.chosen.has(rowKey(row))).length : 0;
  return (
    <Table.Thead className={classes.head}>
      <Table.Tr aria-rowindex={1}>
        {selection && (
          <Table.Th w={44}>
            <Checkbox
              size="xs"
              aria-label="Choose all that are loaded"
              checked={chosen > 0 && chosen === rows.length}
              indeterminate={chosen > 0 && chosen < rows.length}
              onChange={({ currentTarget }) =>
                selection.onChange(new Set(currentTarget.checked ? rows.map(rowKey) : []))
              }
            />
          </Table.Th>
        )}
        {columns.map((column) => (
          <Table.Th
            key={column.id}
            w={column.width}
            ta={column.align}
            aria-sort={sortedBy(column.sort, sort)}
          >
            {column.sort && onSort ? (
              <UnstyledButton
                className={classes.sort}
                onClick={() => onSort(sort === `-${column.sort}` ? (column.sort ?? "") : `-${column.sort}`)}
              >
                {column.title}
                {sort === column.sort && <IconArrowUp size={14} aria-hidden />}
                {sort === `-${column.sort}` && <IconArrowDown size={14} aria-hidden />}
              </UnstyledButton>
            ) : (
              <Text component="span" fz="inherit" fw="inherit">
                {column.title}
              </Text>
            )}
          </Table.Th>
        ))}
      </Table.Tr>
    </Table.Thead>
  );
}

interface RowCheckboxProps<Row> extends Pick<DataTableProps<Row>, "rowKey" | "rowName"> {
  row: Row;
  selection: Selection;
}

function RowCheckbox<Row>({ row, rowKey, rowName, selection }: RowCheckboxProps<Row>) {
  const key = rowKey(row);
  return (
    <Checkbox
      size="xs"
      aria-label={`Choose ${rowName?.(row) ?? key}`}
      checked={selection.chosen.has(key)}
      onChange={({ currentTarget }) => {
        const chosen = new Set(selection.chosen);
        if (currentTarget.checked) chosen.add(key);
        else chosen.delete(key);
        selection.onChange(chosen);
      }}
    />
  );
}

/** In place of rows that are out of sight. */
function Gap({ height }: { height: number }) {
  if (height <= 0) return null;
  return (
    <tr aria-hidden>
      <td style={{ height, padding: 0 }} />
    </tr>
  );
}

function widthOf<Row>({ columns, selection }: DataTableProps<Row>): number {
  return columns.reduce((sum, { width = 180 }) => sum + width, selection ? 44 : 0);
}

function sortedBy(own: string | undefined, sort: string | undefined): "ascending" | "descending" | undefined {
  if (!own) return undefined;
  if (sort === own) return "ascending";
  return sort === `-${own}` ? "descending" : undefined;
}
