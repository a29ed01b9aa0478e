import { Button, FileButton, Group, Skeleton, Stack, Switch, Text, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconApps, IconPlayerPlay, IconPlus, IconSearch, IconUpload } from "@tabler/icons-react";
import { keepPreviousData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Page } from "../layout/Page";
import { useMay } from "../session/session";
import { ButtonLink } from "../ui/ButtonLink";
import { type Column, DataTable } from "../ui/DataTable";
import { EmptyState } from "../ui/EmptyState";
import { TextLink } from "../ui/IdLink";
import { say, showProblem } from "../ui/notify";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { importText } from "./importing";
import { METHODS, type MethodSummary, methodPagesQuery } from "./queries";
import { RunnableBadge } from "./RunnableBadge";

const route = getRouteApi("/shell/methods");

const COLUMNS: Column<MethodSummary>[] = [
  { id: "name", title: "Method", width: 270, cell: (method) => <NameAndTitle method={method} /> },
  { id: "run", title: "Run", width: 90, cell: (method) => <RunLink method={method} /> },
  { id: "state", title: "State", width: 125, cell: (method) => <RunnableBadge method={method} /> },
  {
    id: "version",
    title: "Latest",
    width: 110,
    cell: (method) => method.latest ?? `${method.version} (draft)`,
  },
  { id: "category", title: "Category", width: 110, cell: (method) => method.category ?? "–" },
  { id: "owner", title: "Owner", width: 110, cell: (method) => method.owner },
  { id: "updated", title: "Updated", width: 110, cell: (method) => <RelativeTime at={method.updated_at} /> },
  { id: "seen", title: "Seen by", width: 110, cell: (method) => SEEN[method.visibility] },
  { id: "keywords", title: "Keywords", width: 170, cell: (method) => method.keywords.join(", ") },
];

const SEEN = { private: "Its owner", named: "Some", everyone: "Everyone" };

/** The methods that one may see, by name or by words. */
export function MethodsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const client = useQueryClient();
  const maySubmit = useMay("submit");
  const query = useInfiniteQuery({ ...methodPagesQuery(search), placeholderData: keepPreviousData });
  const rows = query.data?.pages.flatMap(({ items }) => items) ?? [];
  const find = useDebouncedCallback((words: string) => {
    void navigate({ search: ({ q: _, ...rest }) => (words ? { ...rest, q: words } : rest), replace: true });
  }, 300);

  const takeIn = async (file: File | null) => {
    if (!file) return;
    const made = await importText(await file.text(), false);
    say(`${made.method} ${made.version} is here, as ${made.status === "draft" ? "a draft" : made.status}.`);
    await client.invalidateQueries({ queryKey: METHODS });
    await navigate({
      to: "/methods/$name",
      params: { name: made.method },
      search: { version: made.version },
    });
  };

  return (
    <Page
      title="Methods"
      lead={<Text c="dimmed">Named, versioned templates: what is run, and what it takes.</Text>}
      actions={
        maySubmit && (
          <>
            <FileButton
              onChange={(file) => void takeIn(file).catch(showProblem)}
              accept=".yaml,.yml,.json"
              inputProps={{ "aria-label": "File of a method" }}
            >
              {(props) => (
                <Button {...props} variant="default" leftSection={<IconUpload size={16} />}>
                  Import
                </Button>
              )}
            </FileButton>
            <ButtonLink to="/method-editor" leftSection={<IconPlus size={16} />}>
              New method
            </ButtonLink>
          </>
        )
      }
    >
      <Group justify="space-between">
        <TextInput
          flex="1 1 14rem"
          maw="26rem"
          aria-label="Find methods"
          placeholder="Words of name, title, description"
          leftSection={<IconSearch size={16} aria-hidden />}
          defaultValue={search.q ?? ""}
          onChange={({ currentTarget }) => find(currentTarget.value.trim())}
        />
        <Switch
          label="Also retired ones"
          checked={search.retired === "any"}
          onChange={({ currentTarget: { checked } }) =>
            void navigate({
              search: ({ retired: _, ...rest }) => (checked ? { ...rest, retired: "any" as const } : rest),
              replace: true,
            })
          }
        />
      </Group>
      <ProblemView error={query.error} />
      {query.isPending ? (
        <Skeleton h={240} radius="md" />
      ) : (
        <DataTable
          label="Methods"
          rows={rows}
          columns={COLUMNS}
          rowKey={({ name }) => name}
          rowHeight={54}
          card={(method) => <MethodCard method={method} />}
          cardHeight={104}
          onEnd={
            query.hasNextPage && !query.isFetchingNextPage ? () => void query.fetchNextPage() : undefined
          }
          empty={
            <EmptyState
              icon={IconApps}
              title={search.q ? "There is none of these words" : "No method yet"}
              text="A method says what is run, with which inputs and within which limits. Whoever submits it fills in a form."
            />
          }
        />
      )}
    </Page>
  );
}

function NameAndTitle({ method: { name, title } }: { method: MethodSummary }) {
  return (
    <div style={{ minWidth: 0 }}>
      <TextLink to="/methods/$name" params={{ name }} fw={550} title={name} display="block" truncate>
        {name}
      </TextLink>
      {title && (
        <Text fz="xs" c="dimmed" truncate>
          {title}
        </Text>
      )}
    </div>
  );
}

function RunLink({ method: { name, runnable } }: { method: MethodSummary }) {
  if (!runnable) return <span>–</span>;
  return (
    <ButtonLink
      to="/submit"
      search={{ method: name }}
      size="compact-sm"
      variant="light"
      leftSection={<IconPlayerPlay size={14} />}
      aria-label={`Run ${name}`}
    >
      Run
    </ButtonLink>
  );
}

function MethodCard({ method }: { method: MethodSummary }) {
  return (
    <Stack gap={6}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <NameAndTitle method={method} />
        <RunLink method={method} />
      </Group>
      <Group gap="sm" fz="xs" wrap="nowrap">
        <RunnableBadge method={method} />
        <span>{method.latest ?? method.version}</span>
        <Text component="span" fz="xs" c="dimmed" truncate>
          {method.owner}
        </Text>
      </Group>
    </Stack>
  );
}
