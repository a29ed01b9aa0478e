import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { memo, type ReactNode, useEffect, useRef } from "react";
import type { Column } from "./DataTable";
import classes from "./DataTable.module.css";

/** Of the column in which rows are chosen. */
export const BOX_WIDTH = 44;

interface DataTableHeadProps<Row> {
  columns: readonly Column<Row>[];
  /** How many are chosen; null where nothing can be. */
  chosen: number | null;
  /** How many there are. */
  count: number;
  sort?: string | undefined;
  onSort?: ((sort: string) => void) | undefined;
  onChooseAll: (isChosen: boolean) => void;
}

/** The names of the columns, by which it can be sorted. Not drawn again while one scrolls. */
export const DataTableHead = memo(function DataTableHead<Row>({
  columns,
  chosen,
  count,
  onChooseAll,
  ...props
}: DataTableHeadProps<Row>) {
  return (
    <thead className={classes.head}>
      <tr aria-rowindex={1}>
        {chosen !== null && (
          <th style={{ width: BOX_WIDTH }}>
            <ChooseAll chosen={chosen} count={count} onChange={onChooseAll} />
          </th>
        )}
        {columns.map((column) => (
          <Name key={column.id} column={column} {...props} />
        ))}
      </tr>
    </thead>
  );
}) as <Row>(props: DataTableHeadProps<Row>) => ReactNode;

type NameProps<Row> = Pick<DataTableHeadProps<Row>, "sort" | "onSort"> & { column: Column<Row> };

function Name<Row>({ column: { title, width, align, sort: own }, sort, onSort }: NameProps<Row>) {
  return (
    <th style={{ width }} data-align={align} aria-sort={own ? sortedBy(own, sort) : undefined}>
      {own && onSort ? (
        <button
          type="button"
          className={classes.sort}
          onClick={() => onSort(sort === `-${own}` ? own : `-${own}`)}
        >
          {title}
          {sort === own && <IconArrowUp size={14} aria-hidden />}
          {sort === `-${own}` && <IconArrowDown size={14} aria-hidden />}
        </button>
      ) : (
        title
      )}
    </th>
  );
}

interface ChooseAllProps {
  chosen: number;
  count: number;
  onChange: (isChosen: boolean) => void;
}

function ChooseAll({ chosen, count, onChange }: ChooseAllProps) {
  const box = useRef<HTMLInputElement>(null);
  const some = chosen > 0 && chosen < count;
  useEffect(() => {
    // There is no attribute for it.
    if (box.current) box.current.indeterminate = some;
  }, [some]);
  return (
    <input
      ref={box}
      type="checkbox"
      className={classes.checkbox}
      aria-label="Choose all that are loaded"
      checked={chosen > 0 && chosen === count}
      onChange={({ currentTarget }) => onChange(currentTarget.checked)}
    />
  );
}

function sortedBy(own: string, sort: string | undefined): "ascending" | "descending" | undefined {
  if (sort === own) return "ascending";
  return sort === `-${own}` ? "descending" : undefined;
}
