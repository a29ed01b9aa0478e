import { spellBytes } from "../ui/Bytes";
import { useBound, useForm } from "./form";
import { isObject, type Json } from "./json";
import { NumberField } from "./NumberField";
import { Section } from "./Section";
import classes from "./Submit.module.css";
import { TextField } from "./TextField";

/** What it may use: clocks in seconds, sizes with a unit. */
export function LimitsSection() {
  const { body, subject } = useForm();
  const limits = isObject(body["limits"]) ? Object.keys(body["limits"]) : [];
  const summary = subject.kind === "rerun" || limits.length === 0 ? null : limits.join(", ");
  return (
    <Section title="Limits" paths={["limits"]} summary={summary}>
      <div className={classes.columns}>
        <Clock name="timeout" label="Run time" hint="3600" description="Seconds; then it is stopped" />
        <Clock name="idle_timeout" label="Silence" hint="none" description="Seconds without a line" />
        <Clock name="queue_timeout" label="In the queue" hint="none" description="Seconds of waiting" />
        <Clock
          name="pull_timeout"
          label="Pulling the image"
          hint="600"
          description="Seconds that it may take"
        />
        <Clock name="grace" label="Grace" hint="10" description="Seconds to end when stopped" />
        <Clock name="notice" label="Notice" hint="0" description="Seconds of grace before its signal" />
        <Clock name="warn_before" label="Warning" hint="none" description="Seconds ahead of its deadline" />
      </div>
      <div className={classes.columns}>
        <NumberField
          path="limits.cpus"
          label="Cores"
          placeholder="1 (by default)"
          decimals
          description="Also parts of one"
        />
        <Size name="memory" label="Memory" hint="512 MiB" />
        <Size name="disk" label="Disk" hint="10 GiB" />
        <Size name="shm" label="Shared memory" hint="64 MiB" />
      </div>
      <div className={classes.columns}>
        <NumberField
          path="limits.pids"
          label="Processes"
          placeholder="256 (by default)"
          description="And threads"
        />
        <Size name="file_size" label="Largest file" hint="10 GiB" />
        <NumberField
          path="limits.output_files"
          label="Output files"
          placeholder="10000 (by default)"
          description="That are kept"
        />
        <Size name="output_bytes" label="Outputs" hint="1 GiB" />
        <Size name="log_bytes" label="Log" hint="64 MiB" />
        <Size name="checkpoint_bytes" label="Checkpoint" hint="1 GiB" />
      </div>
    </Section>
  );
}

interface LimitProps {
  name: string;
  label: string;
  hint: string;
  description?: string;
}

function Clock({ name, label, hint, description }: LimitProps) {
  return (
    <NumberField
      path={`limits.${name}`}
      label={label}
      placeholder={`${hint} (by default)`}
      {...(description ? { description } : {})}
    />
  );
}

function Size({ name, label, hint }: LimitProps) {
  const path = `limits.${name}`;
  const { value, preset } = useBound(path);
  return (
    <TextField
      path={path}
      label={label}
      description={inBytes(value) ?? "Such as 512MiB or 2GiB"}
      placeholder={`${inBytes(preset) ?? hint} (by default)`}
    />
  );
}

/** What a plain number of bytes is; null of a text, which says its unit itself. */
function inBytes(value: Json | undefined): string | null {
  const bytes = typeof value === "number" ? value : /^\d+$/.test(String(value ?? "")) ? Number(value) : null;
  return bytes === null ? null : spellBytes(bytes);
}
