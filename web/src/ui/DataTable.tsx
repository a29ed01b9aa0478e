import { Checkbox, Table, Text, UnstyledButton } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, useCallback, useEffect, useRef } from "react";
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
  /** How high it may be, as CSS has it; `none` where it is given room. It scrolls in itself. */
  height?: string;
}

const NARROW = "(max-width: 47.99em)";
const NEAR_END = 40;
const USUAL_HEIGHT = "calc(100dvh - 15rem)";

/** A table of any number of rows, of which only those in sight are drawn. */
export function DataTable<Row>(props: DataTableProps<Row>) {
  const { rows, card, empty, onEnd, rowHeight = 38, cardHeight = 108, height = USUAL_HEIGHT } = props;
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
  const onChoose = useChoosing(props.selection);
  if (rows.length === 0 && empty) return empty;
  const Drawn = asCards ? Cards : Rows;
  return (
    <section
      ref={viewport}
      className={classes.viewport}
      style={{ maxHeight: height }}
      aria-label={props.label}
      tabIndex={0}
    >
      <Drawn
        {...props}
        size={size}
        first={items[0]?.index ?? 0}
        last={last}
        before={items[0]?.start ?? 0}
        after={virtual.getTotalSize() - (items.at(-1)?.end ?? 0)}
        onChoose={onChoose}
      />
    </section>
  );
}

type Choose = (key: string, isChosen: boolean) => void;

/** How rows tell that they are chosen; always the same function, so that no row is drawn again for it. */
function useChoosing(selection: Selection | undefined): Choose {
  const latest = useRef(selection);
  useEffect(() => {
    latest.current = selection;
  });
  return useCallback((key, isChosen) => {
    const chosen = new Set(latest.current?.chosen);
    if (isChosen) chosen.add(key);
    else chosen.delete(key);
    latest.current?.onChange(chosen);
  }, []);
}

interface DrawnProps<Row> extends DataTableProps<Row> {
  size: number;
  first: number;
  last: number;
  /** Pixels of what is out of sight. */
  before: number;
  after: number;
  onChoose: Choose;
}

function Cards<Row>({ rows, first, last, before, after, size, ...props }: DrawnProps<Row>) {
  const { rowKey, rowName, selection, card, onChoose } = props;
  return (
    <div style={{ paddingTop: before, paddingBottom: after }}>
      {rows.slice(first, last + 1).map((row) => {
        const key = rowKey(row);
        return (
          <div key={key} className={classes.card} style={{ height: size }}>
            {selection && (
              <RowCheckbox
                id={key}
                name={rowName?.(row) ?? key}
                isChosen={selection.chosen.has(key)}
                onChoose={onChoose}
              />
            )}
            <div className={classes.content}>{card?.(row)}</div>
          </div>
        );
      })}
    </div>
  );
}

function Rows<Row>({ first, last, before, after, size, onChoose, ...props }: DrawnProps<Row>) {
  const { rows, columns, rowKey, rowName, selection } = props;
  return (
    <Table className={classes.table} aria-rowcount={rows.length + 1} layout="fixed" miw={widthOf(props)}>
      <Head {...props} />
      <Table.Tbody>
        <Gap height={before} />
        {rows.slice(first, last + 1).map((row, offset) => {
          const key = rowKey(row);
          return (
            <TableRow
              key={key}
              row={row}
              id={key}
              name={rowName?.(row) ?? key}
              index={first + offset}
              height={size}
              columns={columns}
              isChosen={selection ? selection.chosen.has(key) : null}
              onChoose={onChoose}
            />
          );
        })}
        <Gap height={after} />
      </Table.Tbody>
    </Table>
  );
}

interface RowCheckboxProps {
  id: string;
  name: string;
  isChosen: boolean;
  onChoose: Choose;
}

interface TableRowProps<Row> extends Omit<RowCheckboxProps, "isChosen"> {
  row: Row;
  index: number;
  height: number;
  columns: readonly Column<Row>[];
  /** null where nothing can be chosen. */
  isChosen: boolean | null;
}

/** Drawn again only when something of it is another: while one scrolls, that is none. */
const TableRow = memo(function TableRow<Row>({
  row,
  index,
  height,
  columns,
  isChosen,
  ...props
}: TableRowProps<Row>) {
  return (
    <tr aria-rowindex={index + 2} data-chosen={isChosen || undefined} style={{ height }}>
      {isChosen !== null && (
        <td>
          <RowCheckbox {...props} isChosen={isChosen} />
        </td>
      )}
      {columns.map((column) => (
        <td key={column.id} className={classes.cell} data-align={column.align}>
          {column.cell(row)}
        </td>
      ))}
    </tr>
  );
}) as <Row>(props: TableRowProps<Row>) => ReactNode;

function RowCheckbox({ id, name, isChosen, onChoose }: RowCheckboxProps) {
  return (
    <input
      type="checkbox"
      className={classes.checkbox}
      aria-label={`Choose ${name}`}
      checked={isChosen}
      onChange={({ currentTarget }) => onChoose(id, currentTarget.checked)}
    />
  );
}

function Head<Row>({ columns, rows, rowKey, selection, sort, onSort }: DataTableProps<Row>) {
  const chosen = selection?.chosen.size ?? 0;
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

/** In place of rows that are out of sight. */
function Gap({ height }: { height: number }) {
  if (height <= 0) return null;
  return (
    <tr aria-hidden>
      <td style={{ height, padding: 0 }} />
    </tr>
  );
}

function widthOf<Row>({ columns, selection }: Pick<DataTableProps<Row>, "columns" | "selection">): number {
  return columns.reduce((sum, { width = 180 }) => sum + width, selection ? 44 : 0);
}

function sortedBy(own: string | undefined, sort: string | undefined): "ascending" | "descending" | undefined {
  if (!own) return undefined;
  if (sort === own) return "ascending";
  return sort === `-${own}` ? "descending" : undefined;
}
