import { Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { type Execution, hasEnded } from "../api/types";
import { executionQuery } from "../executions/queries";
import { documentOf, versionQuery } from "../methods/queries";
import { IdLink } from "../ui/IdLink";
import { Note } from "../ui/Note";
import { ProblemView } from "../ui/ProblemView";
import { StatusBadge } from "../ui/StatusBadge";
import own from "../ui/ui.module.css";
import { type Field, fieldsOf } from "./fields";
import { type Document, presetsOf } from "./presets";
import { type Body, bodyOf, forgottenSecrets, type Subject } from "./requests";
import classes from "./Submit.module.css";
import { SubmitForm } from "./SubmitForm";

/** The form of an execution that has ended, to run it again as it was or otherwise. */
export function AgainForm({ id, fromCheckpoint }: { id: string; fromCheckpoint: boolean }) {
  const execution = useQuery(executionQuery(id));
  const method = execution.data?.method;
  const version = useQuery({
    ...versionQuery(method?.name ?? "", method?.version ?? ""),
    enabled: method != null,
  });
  if (execution.error) return <ProblemView error={execution.error} />;
  if (!execution.data || (method && version.isPending)) return <Skeleton h={300} radius="md" />;
  const document = version.data ? documentOf(version.data) : null;
  return (
    <>
      {method && <ProblemView error={version.error} />}
      <Loaded record={execution.data} document={document} fromCheckpoint={fromCheckpoint} />
    </>
  );
}

interface LoadedProps {
  record: Execution;
  document: Document | null;
  fromCheckpoint: boolean;
}

const namesOf = (fields: Field[] | null, kind: Field["kind"]) =>
  fields?.filter((field) => field.kind === kind).map(({ name }) => name) ?? [];

function Loaded({ record, document, fromCheckpoint }: LoadedProps) {
  const [isFromCheckpoint, setFromCheckpoint] = useState(fromCheckpoint);
  const [original] = useState(record);
  const fields = useMemo(() => (document ? fieldsOf(document.inputs) : null), [document]);
  const before = useMemo(() => bodyOf(original, namesOf(fields, "file")), [original, fields]);
  const subject = useMemo<Subject>(
    () => ({ kind: "rerun", of: original.id, fromCheckpoint: isFromCheckpoint, before }),
    [original, isFromCheckpoint, before],
  );
  const besides = useCallback(
    (body: Body) => forgottenSecrets(original, namesOf(fields, "secret"), body),
    [original, fields],
  );
  const head = (
    <div className={`${own.panel} ${classes.content}`} style={{ padding: "1rem", gap: "0.5rem" }}>
      <div style={{ display: "flex", flexWrap: "wrap", gap: "0.75rem", alignItems: "center" }}>
        <Text component="span" fw={600}>
          {record.name ?? (record.method ? `${record.method.name}@${record.method.version}` : record.image)}
        </Text>
        <StatusBadge status={record.status} execution={record} />
        <IdLink id={record.id} />
      </div>
      <Text fz="sm" c="dimmed">
        What you leave as it is stays as it was, also what is not shown here.
        {record.secrets.length > 0 &&
          " Secrets are not kept after the end: give them again, or take them away."}
      </Text>
      {!hasEnded(record.status) && <Note>It has not ended yet: it can be run again then.</Note>}
    </div>
  );
  const canResume = record.checkpoint.files > 0 || isFromCheckpoint;
  return (
    <SubmitForm
      subject={subject}
      initial={before}
      fields={fields}
      presets={document ? presetsOf(document, record.method?.profile ?? undefined) : {}}
      head={head}
      besides={besides}
      verb="Run again"
      checkpoint={canResume ? { value: isFromCheckpoint, onChange: setFromCheckpoint } : undefined}
    />
  );
}
