import {
  Checkbox,
  Group,
  MultiSelect,
  NumberInput,
  PasswordInput,
  Radio,
  Select,
  Switch,
  TagsInput,
  Textarea,
  TextInput,
} from "@mantine/core";
import { FileField } from "./FileField";
import { type Field, spelled, typed } from "./fields";
import { useBound } from "./form";
import { JsonField } from "./JsonField";
import type { Json } from "./json";

const FEW = 6;

/** One input of a method, asked for as its schema says. */
export function InputField({ field }: { field: Field }) {
  switch (field.kind) {
    case "file":
      return <FileInput field={field} />;
    case "json":
      return <JsonField path={`inputs.${field.name}`} {...headOf(field)} placeholder={hintOf(field)} />;
    case "boolean":
      return <BooleanField field={field} />;
    case "choice":
      return <ChoiceField field={field} />;
    case "choices":
      return <ChoicesField field={field} />;
    case "list":
      return <ListField field={field} />;
    case "integer":
    case "number":
      return <NumberField field={field} />;
    default:
      return <TextField field={field} />;
  }
}

function headOf(field: Field) {
  const description = [field.description, field.rule && `${sentence(field.rule)}.`].filter(Boolean).join(" ");
  return { label: field.label, description: description || undefined, required: field.required };
}

function useInput(field: Field) {
  const { label, description, required } = headOf(field);
  const { id, value, preset, error, set } = useBound(`inputs.${field.name}`);
  const byDefault = preset ?? field.default;
  return { value, set, byDefault, shared: { id, label, description, error, withAsterisk: required } };
}

/** What stands in an empty field: what it is by default, or what it may look like. */
function hintOf(field: Field, byDefault: Json | undefined = field.default): string | undefined {
  if (byDefault !== undefined && byDefault !== null) return `${spelled(byDefault)} (by default)`;
  return field.example === null ? undefined : `such as ${field.example}`;
}

function FileInput({ field }: { field: Field }) {
  const { id, value, error, set } = useBound(`inputs.${field.name}`);
  return (
    <FileField id={id} {...headOf(field)} value={value} error={error} onChange={(said) => set(said)} named />
  );
}

function TextField({ field }: { field: Field }) {
  const { value, set, byDefault, shared } = useInput(field);
  const props = {
    ...shared,
    value: spelled(value ?? ""),
    placeholder: hintOf(field, byDefault),
    onChange: ({ currentTarget }: { currentTarget: { value: string } }) =>
      set(currentTarget.value || undefined),
  };
  switch (field.kind) {
    case "secret":
      return <PasswordInput {...props} autoComplete="new-password" />;
    case "date":
      return <TextInput {...props} type="date" maw="14rem" />;
    case "moment":
      return (
        <TextInput {...props} placeholder={props.placeholder ?? "such as 2026-01-31T09:00:00Z"} maw="20rem" />
      );
    case "paragraph":
      return <Textarea {...props} autosize minRows={1} maxRows={12} />;
    default:
      return <TextInput {...props} spellCheck={false} />;
  }
}

function NumberField({ field }: { field: Field }) {
  const { value, set, byDefault, shared } = useInput(field);
  const { minimum, maximum, multipleOf } = field.schema;
  return (
    <NumberInput
      {...shared}
      maw="14rem"
      value={typeof value === "number" || typeof value === "string" ? value : ""}
      placeholder={hintOf(field, byDefault)}
      // What is too large or too small is told by the API, not changed behind one's back.
      clampBehavior="none"
      allowDecimal={field.kind === "number"}
      {...(minimum != null ? { min: minimum } : {})}
      {...(maximum != null ? { max: maximum } : {})}
      step={multipleOf ?? 1}
      onChange={(said) => set(said === "" ? undefined : said)}
    />
  );
}

function BooleanField({ field }: { field: Field }) {
  const { value, set, byDefault, shared } = useInput(field);
  if (typeof byDefault === "boolean") {
    const { withAsterisk: _, ...props } = shared;
    const isOn = typeof value === "boolean" ? value : byDefault;
    return <Switch {...props} checked={isOn} onChange={(event) => set(event.currentTarget.checked)} />;
  }
  return (
    <Radio.Group
      {...shared}
      value={typeof value === "boolean" ? String(value) : null}
      onChange={(said) => set(said === "true")}
    >
      <Group mt={6}>
        <Radio value="true" label="Yes" />
        <Radio value="false" label="No" />
      </Group>
    </Radio.Group>
  );
}

function ChoiceField({ field }: { field: Field }) {
  const { value, set, byDefault, shared } = useInput(field);
  return (
    <Select
      {...shared}
      maw="24rem"
      data={field.options.map(spelled)}
      value={value === undefined ? null : spelled(value)}
      placeholder={hintOf(field, byDefault) ?? "Choose one"}
      searchable={field.options.length > FEW}
      clearable={value !== undefined}
      clearButtonProps={{ "aria-label": `Clear ${field.label}` }}
      onChange={(said) => set(field.options.find((option) => spelled(option) === said))}
    />
  );
}

function ChoicesField({ field }: { field: Field }) {
  const { value, set, byDefault, shared } = useInput(field);
  const chosen = (Array.isArray(value) ? value : []).map(spelled);
  const choose = (said: string[]) => {
    const values = field.options.filter((option) => said.includes(spelled(option)));
    set(values.length > 0 ? values : undefined);
  };
  if (field.options.length > FEW)
    return (
      <MultiSelect
        {...shared}
        data={field.options.map(spelled)}
        value={chosen}
        placeholder={chosen.length > 0 ? undefined : (hintOf(field, byDefault) ?? "Choose some")}
        searchable
        onChange={choose}
      />
    );
  const isDefault = value === undefined && Array.isArray(byDefault);
  const shown = isDefault ? byDefault.map(spelled) : chosen;
  return (
    <Checkbox.Group {...shared} value={shown} onChange={choose}>
      <Group mt={6}>
        {field.options.map((option) => (
          <Checkbox key={spelled(option)} value={spelled(option)} label={spelled(option)} />
        ))}
      </Group>
    </Checkbox.Group>
  );
}

function ListField({ field }: { field: Field }) {
  const { value, set, byDefault, shared } = useInput(field);
  const items = Array.isArray(value) ? value : [];
  return (
    <TagsInput
      {...shared}
      value={items.map(spelled)}
      placeholder={
        items.length > 0 ? undefined : (hintOf(field, byDefault) ?? "One after the other, with Enter")
      }
      allowDuplicates={field.schema.uniqueItems !== true}
      acceptValueOnBlur
      onChange={(said) =>
        set(said.length > 0 ? said.map((each) => typed(each, field.schema.items?.type)) : undefined)
      }
    />
  );
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
