import { Box, Stack } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "../ui/ui.module.css";
import { AboutSection } from "./AboutSection";
import { FilesSection } from "./FilesSection";
import type { Field } from "./fields";
import { type Form, FormContext } from "./form";
import { InputsSection } from "./InputsSection";
import type { JsonObject } from "./json";
import { LaterButtons } from "./LaterButtons";
import { LimitsSection } from "./LimitsSection";
import { ManySection } from "./ManySection";
import { MoreSection } from "./MoreSection";
import { ContainerSection, ProgramSection } from "./ProgramSection";
import { hiddenIn } from "./prefill";
import { QueueSection } from "./QueueSection";
import { RequestPanel } from "./RequestPanel";
import { type Body, type Draft, type Subject, type SubmitRequest, targetFor } from "./requests";
import { SecretsSection } from "./SecretsSection";
import own from "./Submit.module.css";
import { useBlocks, useDraft } from "./useDraft";
import { useSubmission } from "./useSubmission";

/** Instead of submitting: keep what the form stands for, as part of something else. */
export interface Keep {
  /** What stands before the names of its fields in the problems of that. */
  prefix: string;
  save: (request: SubmitRequest) => Promise<unknown>;
}

interface SubmitFormProps {
  subject: Subject;
  /** What it begins with. */
  initial: Body;
  /** Besides: how many it is, and their pace. */
  started?: Partial<Draft>;
  /** The inputs of the method; none: of an image. */
  fields: Field[] | null;
  presets: JsonObject;
  /** What is chosen before, such as the method. */
  head: ReactNode;
  /** Said beside the rest, of a rerun: what was a secret and is not given any more. */
  besides?: (body: Body) => JsonObject;
  verb: string;
  /** Where what the form stands for belongs, if it is not submitted now. */
  keep?: Keep;
}

const OF_SUBMISSION = [
  ...[
    "image",
    "command",
    "entrypoint",
    "env",
    "secrets",
    "named_secrets",
    "files",
    "limits",
    "pool",
    "priority",
  ],
  ...[
    "lane",
    "not_before",
    "hold",
    "max_attempts",
    "retry_on",
    "on_timeout",
    "on_interrupted",
    "name",
    "note",
  ],
  ...[
    "labels",
    "workdir",
    "user",
    "network",
    "image_policy",
    "stop_signal",
    "runtime",
    "outputs",
    "exit_codes",
    "logical_time",
    "keep_workspace",
  ],
  ...["setup", "teardown", "archive", "webhooks", "max_parallel", "count", "matrix", "items"],
];

/** The form of a submission: checked by the API as one types, sent once. */
export function SubmitForm(props: SubmitFormProps) {
  const { subject, initial, fields, presets, head, besides, verb, keep } = props;
  const { draft, adjust, change, changeWithin } = useDraft(initial, props.started);
  const { blocked: blockedBy, block } = useBlocks();
  const unsaid = keep ? hiddenIn(draft as unknown as JsonObject) : null;
  const blocked = blockedBy ?? (unsaid && `${unsaid} is not shown: give it again, or take it away.`);
  const submission = useSubmission({ subject, draft, besides, blocked, keep });
  const { request, errors, wasTried, submit } = submission;
  const form: Form = {
    subject,
    body: draft.body,
    presets,
    // What is only not there yet is no mistake before somebody says that it is ready.
    errors: wasTried ? errors : errors.withoutMissing(),
    change,
    changeWithin,
    block,
  };
  return (
    <FormContext value={form}>
      <form
        className={own.layout}
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
        noValidate
        aria-label="Submission"
      >
        <Stack gap="md">
          {head}
          <Sections subject={subject} fields={fields} draft={draft} onChange={adjust} />
        </Stack>
        <Box component="aside" className={`${classes.panel} ${own.aside}`} p="md" aria-label="Request">
          <RequestPanel
            {...submission}
            shown={[...OF_SUBMISSION, ...(fields?.map(({ name }) => `inputs.${name}`) ?? ["inputs"])]}
            secretInputs={fields?.filter(({ kind }) => kind === "secret").map(({ name }) => name) ?? []}
            blocked={blocked}
            isKept={keep !== undefined}
            verb={request.to === "batches" && !keep ? "Submit the batch" : verb}
          >
            {!keep && <LaterButtons target={targetFor(request)} disabled={blocked !== null} />}
          </RequestPanel>
        </Box>
      </form>
    </FormContext>
  );
}

interface SectionsProps {
  subject: Subject;
  fields: Field[] | null;
  draft: Draft;
  onChange(part: Partial<Draft>): void;
}

function Sections({ subject, fields, draft, onChange }: SectionsProps) {
  const many = (
    <ManySection
      draft={draft}
      fields={fields ?? []}
      isPipeline={subject.kind === "steps"}
      onChange={onChange}
    />
  );
  return (
    <>
      {fields ? <InputsSection fields={fields} /> : <ProgramSection />}
      {!fields && <FilesSection withInputs />}
      <AboutSection />
      {subject.kind !== "rerun" && many}
      <SecretsSection />
      <LimitsSection />
      <QueueSection />
      {fields && subject.kind !== "steps" && <FilesSection withInputs={false} />}
      {!fields && <ContainerSection />}
      <MoreSection isMethod={fields !== null} />
    </>
  );
}
