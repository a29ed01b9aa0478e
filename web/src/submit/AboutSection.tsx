import { PairsField } from "./PairsField";
import { Section } from "./Section";
import { TextField } from "./TextField";

/** What people find it by. */
export function AboutSection() {
  return (
    <Section title="Name, labels and note" paths={["name", "labels", "note"]} opened>
      <TextField path="name" label="Name" placeholder="What it is called" />
      <PairsField path="labels" label="Labels" parts={["Key", "Value"]} add="Label" />
      <TextField path="note" label="Note" long />
    </Section>
  );
}
