import { Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo, useState } from "react";
import { documentOf, methodQuery, versionQuery } from "../methods/queries";
import type { Target } from "../schedules/targets";
import { Note } from "../ui/Note";
import { ProblemView } from "../ui/ProblemView";
import own from "../ui/ui.module.css";
import { fieldsOf } from "./fields";
import { type Prefill, prefillOf } from "./prefill";
import { type Document, presetsOf } from "./presets";
import { type Keep, SubmitForm } from "./SubmitForm";

interface TargetFormProps {
  target: Target;
  /** What it is of. */
  head: ReactNode;
  keep: Keep;
}

/** What a schedule or a trigger submits, in the form for submitting. */
export function TargetForm({ target, head, keep }: TargetFormProps) {
  const [prefill] = useState(() => prefillOf(target));
  if (!prefill)
    return (
      <Note title="The form cannot show this">
        It has more than a form for submitting can say. It is changed as JSON, with all else.
      </Note>
    );
  const { subject } = prefill;
  if (subject.kind === "image" || subject.kind === "rerun")
    return <Filled prefill={prefill} document={null} head={head} keep={keep} />;
  return <OfMethod method={subject.method} prefill={prefill} head={head} keep={keep} />;
}

interface FilledProps extends Omit<TargetFormProps, "target"> {
  prefill: Prefill;
}

/** With the document of the method, of which the form is made. */
function OfMethod({ method: named, ...props }: FilledProps & { method: string }) {
  const [name = "", version] = named.split("@");
  const method = useQuery({ ...methodQuery(name), enabled: version === undefined });
  const chosen = version ?? method.data?.latest ?? method.data?.version;
  const document = useQuery({ ...versionQuery(name, chosen ?? ""), enabled: chosen !== undefined });
  if (method.error ?? document.error) return <ProblemView error={method.error ?? document.error} />;
  if (!document.data) return <Skeleton h={300} radius="md" />;
  return <Filled document={documentOf(document.data)} {...props} />;
}

function Filled({ prefill, document, head, keep }: FilledProps & { document: Document | null }) {
  const { subject, draft } = prefill;
  const fields = useMemo(() => (document ? fieldsOf(document.inputs) : null), [document]);
  const profile = "profile" in subject ? subject.profile : undefined;
  return (
    <SubmitForm
      subject={subject}
      initial={draft.body}
      started={draft}
      fields={fields}
      presets={document ? presetsOf(document, profile) : {}}
      head={
        <div className={own.panel} style={{ padding: "1rem" }}>
          {head}
          <Text fz="sm" c="dimmed">
            Variables and secrets are not shown: give them again, or take them away.
            {"method" in subject && ` It is submitted by ${subject.method}.`}
          </Text>
        </div>
      }
      verb="Save"
      keep={keep}
    />
  );
}
