import { ChoiceField } from "./ChoiceField";
import { useForm } from "./form";
import { JsonField } from "./JsonField";
import { PairsField } from "./PairsField";
import { Section } from "./Section";
import { TextField } from "./TextField";
import { WorkspaceField } from "./WorkspaceField";

const PATHS = [
  ...["outputs", "exit_codes", "setup", "teardown", "archive", "webhooks", "logical_time"],
  ...["keep_workspace", "runtime"],
];
const STAGE = '{"command": ["sh", "-c", "…"], "timeout": 60}';

/** What it has to leave, what its exit codes mean, who is told: what few need. */
export function MoreSection({ isMethod }: { isMethod: boolean }) {
  const { subject } = useForm();
  return (
    <Section title="Outputs, exit codes and more" paths={PATHS}>
      {!isMethod && (
        <>
          <JsonField
            path="outputs"
            label="Outputs that it has to leave"
            description="Paths below /tailrace/outputs, or patterns"
            placeholder='[{"path": "report.html"}, {"path": "plots/*.png", "required": false}]'
          />
          <PairsField
            path="exit_codes"
            label="What exit codes mean"
            description="success, fail, retry, canceled or checkpoint"
            parts={["Code", "Meaning"]}
            add="Exit code"
          />
          <JsonField path="setup" label="Before it" description="In the same container" placeholder={STAGE} />
          <JsonField path="teardown" label="After it" placeholder={STAGE} />
        </>
      )}
      <ChoiceField
        path="archive"
        label="What is kept when it is archived"
        options={[
          { value: "all", label: "All of it" },
          { value: "outputs", label: "Its record and outputs" },
          { value: "record", label: "Its record alone" },
        ]}
        byDefault="all"
      />
      <JsonField
        path="webhooks"
        label="Servers that hear of it"
        description={
          subject.kind === "rerun" ? "Those that heard of the one before are not taken over" : undefined
        }
        placeholder='[{"url": "https://example.com/done"}]'
      />
      {isMethod && <TextField path="runtime" label="Runtime" placeholder="The engine's" mono />}
      <TextField
        path="logical_time"
        label="The time that it is about"
        description="With its zone; the program finds it in TAILRACE_LOGICAL_TIME"
        placeholder="2026-01-31T00:00:00Z"
      />
      <WorkspaceField />
    </Section>
  );
}
