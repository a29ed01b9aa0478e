import { Group, Select, Skeleton, Tabs, Text } from "@mantine/core";
import { IconListDetails, IconPlayerPause, IconPlayerPlay } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { Page } from "../layout/Page";
import { useMe } from "../session/session";
import { ButtonLink } from "../ui/ButtonLink";
import { JsonView } from "../ui/JsonView";
import { Note } from "../ui/Note";
import { ProblemView } from "../ui/ProblemView";
import { RelativeTime } from "../ui/RelativeTime";
import { InputsPanel } from "./InputsPanel";
import { MethodMenu } from "./MethodMenu";
import { documentOf, type Method, methodQuery, versionQuery } from "./queries";
import { RunnableBadge } from "./RunnableBadge";
import type { Tab } from "./routes";
import { SettingsPanel } from "./SettingsPanel";
import { VersionsPanel } from "./VersionsPanel";

const route = getRouteApi("/shell/methods/$name");

/** One method: what it takes and runs, its versions and how they differ, and who may do what with it. */
export function MethodPage() {
  const { name } = route.useParams();
  const { version: asked, tab = "inputs" } = route.useSearch();
  const navigate = route.useNavigate();
  const method = useQuery(methodQuery(name));
  const version = asked ?? method.data?.version;
  const shown = useQuery({ ...versionQuery(name, version ?? ""), enabled: version !== undefined });
  if (!method.data)
    return (
      <Page title={name}>
        {method.error ? <ProblemView error={method.error} /> : <Skeleton h={300} radius="md" />}
      </Page>
    );
  return (
    <Page
      title={name}
      lead={
        <Lead method={method.data} title={shown.data ? documentOf(shown.data).title : method.data.title} />
      }
      actions={<Actions method={method.data} version={version} />}
    >
      {method.data.disabled && (
        <Note icon={IconPlayerPause} title="Nothing of it is accepted or started">
          {method.data.disabled.reason} ({method.data.disabled.by},{" "}
          <RelativeTime at={method.data.disabled.at} />)
        </Note>
      )}
      <Group align="flex-end" justify="space-between" gap="sm">
        <Select
          label="Version"
          w="14rem"
          data={method.data.versions.map((each) => ({
            value: each.version,
            label: labelOf(each.version, each.status, method.data.latest),
          }))}
          value={version ?? null}
          allowDeselect={false}
          onChange={(next) =>
            next && void navigate({ search: (before) => ({ ...before, version: next }), replace: true })
          }
        />
        {shown.data && (
          <Text fz="sm" c="dimmed">
            {shown.data.status === "draft" ? "A draft, last changed " : "Published "}
            <RelativeTime at={shown.data.published_at ?? shown.data.updated_at} /> by {shown.data.created_by}
          </Text>
        )}
      </Group>
      <ProblemView error={shown.error} />
      <Tabs
        value={tab}
        keepMounted={false}
        onChange={(next) =>
          void navigate({ search: (before) => ({ ...before, tab: next as Tab }), replace: true })
        }
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="inputs">Inputs</Tabs.Tab>
          <Tabs.Tab value="document">Document</Tabs.Tab>
          <Tabs.Tab value="versions">Versions</Tabs.Tab>
          <Tabs.Tab value="settings">Sharing and limits</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="inputs">
          {shown.data ? <InputsPanel document={documentOf(shown.data)} /> : <Skeleton h={200} radius="md" />}
        </Tabs.Panel>
        <Tabs.Panel value="document">
          {shown.data && <JsonView value={shown.data.document} label="Document" />}
        </Tabs.Panel>
        <Tabs.Panel value="versions">
          <VersionsPanel method={method.data} />
        </Tabs.Panel>
        <Tabs.Panel value="settings">
          <SettingsPanel method={method.data} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

function labelOf(version: string, status: string, latest: string | null): string {
  if (version === latest) return `${version} (latest)`;
  return status === "published" ? version : `${version} (${status})`;
}

function Lead({ method, title }: { method: Method; title: string | null | undefined }) {
  return (
    <Group gap="xs">
      {title && <Text component="span">{title}</Text>}
      <RunnableBadge method={method} />
      {method.keywords.map((keyword) => (
        <Text key={keyword} component="span" fz="sm" c="dimmed">
          #{keyword}
        </Text>
      ))}
    </Group>
  );
}

function Actions({ method, version }: { method: Method; version: string | undefined }) {
  const { owner } = useMe();
  const status = method.versions.find((each) => each.version === version)?.status;
  const canRun = method.runnable && status === "published" && version !== undefined;
  return (
    <>
      <ButtonLink
        variant="default"
        to="/executions"
        search={{ method: [method.name] }}
        leftSection={<IconListDetails size={16} />}
      >
        Its executions
      </ButtonLink>
      {canRun && (
        <ButtonLink
          to="/submit"
          search={{ method: `${method.name}@${version}` }}
          leftSection={<IconPlayerPlay size={16} />}
        >
          Run this
        </ButtonLink>
      )}
      {version && (
        <MethodMenu
          method={method}
          version={version}
          status={status ?? "published"}
          isOwn={owner === method.owner}
        />
      )}
    </>
  );
}
