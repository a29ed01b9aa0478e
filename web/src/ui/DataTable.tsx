import { useMediaQuery } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, useCallback, useEffect, useRef } from "react";
import { type Choose, type Selection, steer, useChoosing } from "./choosing";
import classes from "./DataTable.module.css";
import { BOX_WIDTH, DataTableHead } from "./DataTableHead";

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
  /** What it is about: where that becomes another, it begins at its top again. */
  topic?: string;
  rowHeight?: number;
  cardHeight?: number;
  /** How high it may be, as CSS has it; `none` where it is given room. It scrolls in itself. */
  height?: string;
}

const NARROW = "(max-width: 47.99em)";
const NEAR_END = 40;
const USUAL_WIDTH = 180;
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
  const shownTopic = useRef(props.topic);
  useEffect(() => {
    if (shownTopic.current !== props.topic) viewport.current?.scrollTo({ top: 0 });
    shownTopic.current = props.topic;
  }, [props.topic]);
  const onChoose = useChoosing(props.selection, () => rows.map(props.rowKey));
  const { onSort, onChooseAll } = useLasting(props);
  if (rows.length === 0 && empty) return empty;
  const Drawn = asCards ? Cards : Rows;
  return (
    <section
      ref={viewport}
      className={classes.viewport}
      style={{ maxHeight: height }}
      aria-label={props.label}
      data-scroll-restoration-id={props.label}
      tabIndex={0}
      onKeyDown={(event) => steer(event, () => props.selection?.onChange(new Set()))}
    >
      <Drawn
        {...props}
        onSort={onSort}
        onChooseAll={onChooseAll}
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

/** The same functions each time, so that the head is not drawn again for them. */
function useLasting<Row>(props: DataTableProps<Row>) {
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });
  const onSort = useCallback((sort: string) => latest.current.onSort?.(sort), []);
  const onChooseAll = useCallback((isChosen: boolean) => {
    const { rows, rowKey, selection } = latest.current;
    selection?.onChange(new Set(isChosen ? rows.map(rowKey) : []));
  }, []);
  return { onSort: props.onSort && onSort, onChooseAll };
}

interface DrawnProps<Row> extends Omit<DataTableProps<Row>, "onSort"> {
  size: number;
  first: number;
  last: number;
  /** Pixels of what is out of sight. */
  before: number;
  after: number;
  onSort: ((sort: string) => void) | undefined;
  onChoose: Choose;
  onChooseAll: (isChosen: boolean) => void;
}

function Cards<Row>({ rows, first, last, before, after, size, ...props }: DrawnProps<Row>) {
  const { rowKey, rowName, selection, card, onChoose } = props;
  return (
    <div style={{ paddingTop: before, paddingBottom: after }}>
      {rows.slice(first, last + 1).map((row) => {
        const key = rowKey(row);
        return (
          <div key={key} className={classes.card} data-row style={{ height: size }}>
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

function Rows<Row>({ first, last, before, after, size, onChoose, onChooseAll, ...props }: DrawnProps<Row>) {
  const { rows, columns, rowKey, rowName, selection } = props;
  return (
    <table className={classes.table} aria-rowcount={rows.length + 1} style={{ minWidth: widthOf(props) }}>
      <DataTableHead
        columns={columns}
        chosen={selection ? selection.chosen.size : null}
        count={rows.length}
        sort={props.sort}
        onSort={props.onSort}
        onChooseAll={onChooseAll}
      />
      <tbody>
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
      </tbody>
    </table>
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
    <tr data-row aria-rowindex={index + 2} data-chosen={isChosen || undefined} style={{ height }}>
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
      onChange={({ currentTarget, nativeEvent }) =>
        onChoose(id, currentTarget.checked, nativeEvent instanceof MouseEvent && nativeEvent.shiftKey)
      }
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

function widthOf<Row>({ columns, selection }: Pick<DataTableProps<Row>, "columns" | "selection">): number {
  return columns.reduce((sum, { width = USUAL_WIDTH }) => sum + width, selection ? BOX_WIDTH : 0);
}
