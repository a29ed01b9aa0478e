import { Select, Skeleton, Stack, Text } from "@mantine/core";
import { IconPlayerPause } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type ReactNode, useMemo } from "react";
import type { Schemas } from "../api/types";
import { documentOf, methodQuery, versionQuery } from "../methods/queries";
import { TextLink } from "../ui/IdLink";
import { Note } from "../ui/Note";
import { ProblemView } from "../ui/ProblemView";
import own from "../ui/ui.module.css";
import { ChooseMethod } from "./ChooseMethod";
import { fieldsOf } from "./fields";
import { type Document, presetsOf } from "./presets";
import type { Subject } from "./requests";
import classes from "./Submit.module.css";
import { SubmitForm } from "./SubmitForm";

const route = getRouteApi("/shell/submit");

/** Choose a method, its version and a profile, and say its inputs. */
export function MethodForm({ head }: { head: ReactNode }) {
  const { method: named = "", profile } = route.useSearch();
  const navigate = route.useNavigate();
  const [name = "", version] = named.split("@");
  const method = useQuery({ ...methodQuery(name), enabled: name !== "" });
  const chosen = version ?? method.data?.latest ?? method.data?.version;
  const document = useQuery({ ...versionQuery(name, chosen ?? ""), enabled: chosen !== undefined });

  const choose = (next: { name?: string; version?: string; profile?: string | undefined }) => {
    const { name: nextName = name, version: nextVersion } = next;
    void navigate({
      search: {
        method: nextVersion ? `${nextName}@${nextVersion}` : nextName,
        ...(next.profile ? { profile: next.profile } : {}),
      },
      replace: true,
    });
  };

  const top = (
    <>
      {head}
      <div className={`${own.panel} ${classes.content}`} style={{ padding: "1rem" }}>
        <ChooseMethod value={name} onChange={(next) => choose({ name: next })} />
        {method.data && (
          <Versions
            method={method.data}
            version={chosen}
            document={document.data ? documentOf(document.data) : undefined}
            profile={profile}
            onVersion={(next) => choose({ version: next })}
            onProfile={(next) => choose({ ...(version ? { version } : {}), profile: next })}
          />
        )}
      </div>
      <ProblemView error={method.error ?? document.error} />
      {method.data && !method.data.runnable && <NotRunnable method={method.data} />}
    </>
  );
  if (!document.data || !chosen)
    return (
      <Stack gap="md" maw="60rem">
        {top}
        {name !== "" && (method.isPending || document.isLoading) && <Skeleton h={200} radius="md" />}
      </Stack>
    );
  return (
    <WithDocument
      key={name}
      method={`${name}@${chosen}`}
      document={documentOf(document.data)}
      profile={profile}
      head={top}
    />
  );
}

interface WithDocumentProps {
  method: string;
  document: Document;
  profile: string | undefined;
  head: ReactNode;
}

function WithDocument({ method, document, profile, head }: WithDocumentProps) {
  const subject = useMemo<Subject>(
    () => ({ kind: document.steps ? "steps" : "method", method, ...(profile ? { profile } : {}) }),
    [method, document, profile],
  );
  const fields = useMemo(() => fieldsOf(document.inputs), [document]);
  return (
    <SubmitForm
      subject={subject}
      initial={{}}
      fields={fields}
      presets={presetsOf(document, profile)}
      head={head}
      verb="Submit"
    />
  );
}

interface VersionsProps {
  method: Schemas["MethodView"];
  version: string | undefined;
  document: Document | undefined;
  profile: string | undefined;
  onVersion(version: string): void;
  onProfile(profile: string | undefined): void;
}

function Versions({ method, version, document, profile, onVersion, onProfile }: VersionsProps) {
  const profiles = Object.entries(document?.profiles ?? {});
  const offered = method.versions.filter((each) => each.status === "published" || each.version === version);
  return (
    <>
      {method.description && (
        <Text fz="sm" c="dimmed" style={{ whiteSpace: "pre-line" }} lineClamp={4}>
          {method.description}
        </Text>
      )}
      <div className={classes.columns}>
        <Select
          label="Version"
          data={offered.map((each) => ({ value: each.version, label: labelOf(each, method.latest) }))}
          value={version ?? null}
          allowDeselect={false}
          onChange={(next) => next && onVersion(next)}
        />
        {profiles.length > 0 && (
          <Select
            label="Profile"
            data={profiles.map(([name, { title }]) => ({
              value: name,
              label: title ? `${name}: ${title}` : name,
            }))}
            value={profile ?? null}
            placeholder="None"
            clearable
            clearButtonProps={{ "aria-label": "Clear Profile" }}
            onChange={(next) => onProfile(next ?? undefined)}
          />
        )}
      </div>
      <Text fz="sm">
        <TextLink to="/methods/$name" params={{ name: method.name }}>
          About this method
        </TextLink>
      </Text>
    </>
  );
}

function labelOf({ version, status }: Schemas["VersionSummary"], latest: string | null): string {
  if (version === latest) return `${version} (latest)`;
  return status === "published" ? version : `${version} (${status})`;
}

function NotRunnable({ method }: { method: Schemas["MethodView"] }) {
  const reason = method.disabled
    ? `${method.disabled.reason} (${method.disabled.by})`
    : "No version of it is published that may be submitted.";
  return (
    <Note icon={IconPlayerPause} title="Nothing of it is accepted now">
      {reason}
    </Note>
  );
}
