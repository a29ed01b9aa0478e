import { Skeleton } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { asProblem } from "../api/problem";
import type { Execution } from "../api/types";
import { executionQuery } from "../executions/queries";
import { documentOf, versionQuery } from "../methods/queries";
import { ProblemView } from "../ui/ProblemView";
import { AgainHead } from "./AgainHead";
import { besidesOf, bodyOf, forgottenSecrets, type Start } from "./again";
import { type Field, fieldsOf } from "./fields";
import { type Document, presetsOf } from "./presets";
import type { Body, Subject } from "./requests";
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
  if (version.error && asProblem(version.error).status !== 404) return <ProblemView error={version.error} />;
  const document = version.data ? documentOf(version.data) : null;
  return <Loaded record={execution.data} document={document} fromCheckpoint={fromCheckpoint} />;
}

interface LoadedProps {
  record: Execution;
  /** Of its method's version; none if it has none, or that is not to be seen any more. */
  document: Document | null;
  fromCheckpoint: boolean;
}

const namesOf = (fields: Field[] | null, kind: Field["kind"]) =>
  fields?.filter((field) => field.kind === kind).map(({ name }) => name) ?? [];

function Loaded({ record, document: own, fromCheckpoint }: LoadedProps) {
  const [original] = useState(record);
  const [start, setStart] = useState<Start>(() => firstStart(record, fromCheckpoint));
  const [isPlain, setPlain] = useState(own === null);
  const document = isPlain ? null : own;
  const fields = useMemo(() => (document ? fieldsOf(document.inputs) : null), [document]);
  const before = useMemo(
    () => bodyOf(original, document, namesOf(fields, "file")),
    [original, document, fields],
  );
  const subject = useMemo<Subject>(
    () => ({ kind: "rerun", of: original.id, before, more: besidesOf(original, start, isPlain) }),
    [original, before, start, isPlain],
  );
  const besides = useCallback(
    (body: Body) => forgottenSecrets(original, namesOf(fields, "secret"), body),
    [original, fields],
  );
  return (
    <SubmitForm
      key={String(isPlain)}
      subject={subject}
      initial={before}
      fields={fields}
      presets={document ? presetsOf(document, record.method?.profile ?? undefined) : {}}
      head={
        <AgainHead
          record={record}
          start={start}
          onStart={setStart}
          isPlain={isPlain}
          onPlain={own ? setPlain : null}
        />
      }
      besides={besides}
      verb="Run again"
    />
  );
}

function firstStart(record: Execution, fromCheckpoint: boolean): Start {
  if (fromCheckpoint) return "own";
  return record.lineage.resumed_from ? "same" : "nothing";
}
