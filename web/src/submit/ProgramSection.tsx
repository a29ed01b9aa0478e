import { ArgvField } from "./ArgvField";
import { ChoiceField } from "./ChoiceField";
import { Section } from "./Section";
import classes from "./Submit.module.css";
import { TextField } from "./TextField";

/** The image and what is run in it. */
export function ProgramSection() {
  return (
    <Section title="Program" paths={["image", "command"]} opened>
      <TextField path="image" label="Image" placeholder="such as python:3.12-slim" required mono />
      <ArgvField
        path="command"
        label="Command"
        description="The image's own if left out. Typed as in a shell, which is not there: it is split into arguments."
        placeholder="python train.py --epochs 3"
      />
    </Section>
  );
}

/** How its container is made, for who knows why. */
export function ContainerSection() {
  return (
    <Section
      title="Container"
      paths={["entrypoint", "workdir", "user", "network", "image_policy", "stop_signal", "runtime"]}
    >
      <ArgvField path="entrypoint" label="Entrypoint" description="Instead of the image's" />
      <div className={classes.columns}>
        <TextField path="workdir" label="Directory" placeholder="The image's" mono />
        <TextField path="user" label="User" placeholder="The image's" mono />
        <TextField path="stop_signal" label="Signal to stop" placeholder="SIGTERM (by default)" mono />
        <ChoiceField
          path="network"
          label="Network"
          options={[
            { value: "none", label: "None" },
            { value: "bridge", label: "The engine's (bridge)" },
          ]}
          byDefault="none"
        />
        <ChoiceField
          path="image_policy"
          label="Pull the image"
          options={[
            { value: "missing", label: "If it is missing" },
            { value: "always", label: "Always" },
            { value: "never", label: "Never" },
          ]}
          byDefault="missing"
        />
        <TextField path="runtime" label="Runtime" placeholder="The engine's" mono />
      </div>
    </Section>
  );
}
