import { Text } from "@mantine/core";
import type { Field } from "./fields";
import { InputField } from "./InputField";
import { Section } from "./Section";

/** What a method takes, asked for as its schema says. */
export function InputsSection({ fields }: { fields: Field[] }) {
  return (
    <Section title="Inputs" paths={["inputs"]} opened>
      {fields.length === 0 && (
        <Text c="dimmed" fz="sm">
          It takes none.
        </Text>
      )}
      {fields.map((field) => (
        <InputField key={field.name} field={field} />
      ))}
    </Section>
  );
}
