import { Box, Button, Group, Loader, Text } from "@mantine/core";
import { IconListSearch, IconPlayerPlay } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";
import { Page } from "../layout/Page";
import { useFresh } from "../stats/queries";
import { DataTable } from "../ui/DataTable";
import { EmptyState } from "../ui/EmptyState";
import { ProblemView } from "../ui/ProblemView";
import { BulkBar } from "./BulkBar";
import { ColumnsMenu } from "./ColumnsMenu";
import { COLUMNS, USUAL } from "./columns";
import { ExecutionCard } from "./ExecutionCard";
import { Filters, Narrowed } from "./Filters";
import { ImportButton } from "./ImportButton";
import classes from "./List.module.css";
import { useExecutionList } from "./list";
import { StatusFilter } from "./StatusFilter";
import { hasFilters, type ListSearch, NEWEST_FIRST, readSearch, type Shelf } from "./search";
import { ViewsMenu } from "./ViewsMenu";
import { useShownColumns } from "./views";

interface ListPageProps {
  shelf: Shelf;
  title: string;
  search: ListSearch;
  /** With `replace` one comes back to what was before that, not to this. */
  onSearch: (search: ListSearch, replace: boolean) => void;
}

/** A list of executions that keeps itself up to date; filters and order stand in its address. */
export function ListPage({ shelf, title, search, onSearch }: ListPageProps) {
  const list = useExecutionList(shelf, search);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [shown, setShown] = useShownColumns(USUAL);
  useFresh("stats");
  const columns = useMemo(() => COLUMNS.filter(({ id }) => shown.includes(id)), [shown]);
  const rows = useMemo(
    () => (hidden.size > 0 ? list.rows.filter(({ id }) => !hidden.has(id)) : list.rows),
    [list.rows, hidden],
  );
  const change = (wanted: ListSearch) => {
    setChosen(new Set());
    // Back leads to other filters, not to other letters of a word that was typed.
    onSearch(readSearch({ ...wanted }), wanted.q !== search.q);
  };
  const nameOf = (id: string) => list.rows.find((each) => each.id === id)?.name ?? `…${id.slice(-8)}`;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const fetchMore = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const present = useMemo(
    () => new Set(rows.map(({ id }) => id).filter((id) => chosen.has(id))),
    [rows, chosen],
  );

  return (
    <Page
      title={title}
      actions={
        <>
          <ImportButton />
          <SubmitButton />
        </>
      }
    >
      <div className={classes.list}>
        <StatusFilter
          shelf={shelf}
          chosen={search.status ?? []}
          onChange={(status) => change({ ...search, status })}
        />
        <Group gap="xs" justify="space-between">
          <Filters search={search} onChange={change} />
          <Group gap="xs">
            <ViewsMenu shelf={shelf} search={search} onChange={change} />
            <Box visibleFrom="sm">
              <ColumnsMenu shown={shown} onChange={setShown} />
            </Box>
          </Group>
        </Group>
        <Narrowed search={search} onChange={change} />
        <ProblemView error={list.error} />
        <DataTable
          label={title}
          rows={rows}
          columns={columns}
          rowKey={({ id }) => id}
          rowName={({ id, name }) => name ?? id}
          card={(execution) => <ExecutionCard execution={execution} />}
          selection={{ chosen: present, onChange: setChosen }}
          sort={search.sort ?? NEWEST_FIRST}
          onSort={(sort) => change({ ...search, sort: sort as ListSearch["sort"] })}
          onEnd={fetchMore}
          topic={JSON.stringify(search)}
          cardHeight={96}
          height="none"
          empty={
            list.isPending ? (
              <Group justify="center" p="xl">
                <Loader aria-label="Fetching" />
              </Group>
            ) : list.error ? null : (
              <Nothing shelf={shelf} isNarrowed={hasFilters(search)} onClear={() => change({})} />
            )
          }
        />
        <Group justify="space-between" mih={22}>
          <Text fz="sm" c="dimmed" role="status">
            {rows.length > 0 && `${rows.length.toLocaleString()} shown${hasNextPage ? ", more below" : ""}`}
          </Text>
          {isFetchingNextPage && <Loader size="xs" aria-label="Fetching more" />}
        </Group>
        <BulkBar
          shelf={shelf}
          search={search}
          chosen={present}
          mayMeanAll={hasNextPage && present.size === rows.length}
          onHide={setHidden}
          onClear={() => setChosen(new Set())}
          nameOf={nameOf}
        />
      </div>
    </Page>
  );
}

function SubmitButton() {
  return (
    <Button component={Link} to="/submit" leftSection={<IconPlayerPlay size={16} />}>
      Submit
    </Button>
  );
}

function Nothing({ shelf, isNarrowed, onClear }: { shelf: Shelf; isNarrowed: boolean; onClear: () => void }) {
  if (isNarrowed) {
    return (
      <EmptyState
        icon={IconListSearch}
        title="Nothing matches"
        text="No execution is as these filters want it."
        action={
          <Button variant="default" onClick={onClear}>
            Clear the filters
          </Button>
        }
      />
    );
  }
  return shelf === "archive" ? (
    <EmptyState
      icon={IconListSearch}
      title="The archive is empty"
      text="What has ended can be put aside here: choose it in the list of executions, and archive it. Nothing of it expires."
    />
  ) : (
    <EmptyState
      icon={IconPlayerPlay}
      title="Nothing was submitted yet"
      text="Submit an image and a command, or a method, and watch it run."
      action={<SubmitButton />}
    />
  );
}
