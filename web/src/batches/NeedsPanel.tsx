import { Paper, Text } from "@mantine/core";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import type { Schemas, Status } from "../api/types";
import { useExecutionList } from "../executions/list";
import { STATUS } from "../ui/statuses";
import classes from "./Batches.module.css";
import { placesOf } from "./layers";
import { type Batch, needsQuery } from "./queries";

/** More than that nobody can read as a drawing. */
const DRAWN = 120;
const WIDTH = 168;
const HEIGHT = 34;
const ACROSS = 216;
const DOWN = 50;
const LETTERS = 17;

/** Who needs whom, from left to right; nothing where nobody needs anybody. */
export function NeedsPanel({ batch }: { batch: Batch }) {
  const isSmall = batch.progress.total <= DRAWN;
  const query = useInfiniteQuery({ ...needsQuery(batch.id), enabled: isSmall });
  const children = useMemo(() => query.data?.pages.flatMap(({ items }) => items) ?? [], [query.data]);
  if (children.every(({ needs }) => needs.length === 0)) return null;
  return (
    <Paper withBorder radius="md" component="section" aria-label="Who needs whom">
      <Text fw={600} px="md" pt="sm">
        Who needs whom
      </Text>
      <Drawing batch={batch} items={children} />
    </Paper>
  );
}

type Child = Schemas["ChildNeeds"];

function Drawing({ batch, items }: { batch: Batch; items: Child[] }) {
  const statuses = useStatuses(batch.id);
  const places = useMemo(() => {
    const needs = new Map(
      items.map(({ execution, needs: own }) => [execution, own.flatMap((need) => need.execution ?? [])]),
    );
    return new Map(placesOf(needs).map((place) => [place.key, place]));
  }, [items]);
  const at = (key: string) => {
    const { column = 0, row = 0 } = places.get(key) ?? {};
    return { x: column * ACROSS + 2, y: row * DOWN + 2 };
  };
  const ends = [...places.keys()].map(at);
  const width = Math.max(...ends.map(({ x }) => x)) + WIDTH + 4;
  const height = Math.max(...ends.map(({ y }) => y)) + HEIGHT + 4;
  return (
    <section className={classes.graph} tabIndex={0} aria-label="Drawing of who needs whom">
      <svg width={width} height={height}>
        <title>{`${items.length} children`}</title>
        {items.flatMap((child) =>
          child.needs.map(({ name, execution }) =>
            execution && places.has(execution) ? (
              <path
                key={`${child.execution} ${name}`}
                className={classes.edge}
                d={edge(at(execution), at(child.execution))}
              />
            ) : null,
          ),
        )}
        {items.map((child) => (
          <Node
            key={child.execution}
            child={child}
            status={statuses.get(child.execution)}
            {...at(child.execution)}
          />
        ))}
      </svg>
    </section>
  );
}

interface NodeProps {
  child: Child;
  status: Status | undefined;
  x: number;
  y: number;
}

function Node({ child, status, x, y }: NodeProps) {
  const navigate = useNavigate();
  const name = child.key ?? `#${child.index}`;
  const said = `${name}: ${status ? STATUS[status].word : "unknown"}`;
  return (
    <a
      className={classes.node}
      href={`/executions/${child.execution}`}
      aria-label={said}
      style={{ "--status": status ? `var(--status-${status})` : "var(--tr-line)" }}
      onClick={(event) => {
        event.preventDefault();
        void navigate({ to: "/executions/$id", params: { id: child.execution } });
      }}
    >
      <title>{said}</title>
      <rect x={x} y={y} width={WIDTH} height={HEIGHT} rx={8} />
      <circle cx={x + 17} cy={y + HEIGHT / 2} r={5} />
      <text x={x + 31} y={y + HEIGHT / 2 + 4.5}>
        {name.length > LETTERS ? `${name.slice(0, LETTERS - 1)}…` : name}
      </text>
    </a>
  );
}

/** How each child stands by now; the list is the one that is shown below. */
function useStatuses(batch: string): Map<string, Status> {
  const search = useMemo(() => ({ batch, sort: "created" as const }), [batch]);
  const { rows } = useExecutionList("live", search);
  return useMemo(() => new Map(rows.map(({ id, status }) => [id, status])), [rows]);
}

function edge(from: { x: number; y: number }, to: { x: number; y: number }): string {
  const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2];
  const middle = (x1 + x2) / 2;
  return `M${x1},${y1} C${middle},${y1} ${middle},${y2} ${x2},${y2}`;
}
