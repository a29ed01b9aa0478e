import { Checkbox, NumberInput, SegmentedControl, Select, TagsInput, Text } from "@mantine/core";
import type { Field } from "./fields";
import { spelled, typed } from "./fields";
import { idOf, useForm } from "./form";
import { JsonInput } from "./JsonInput";
import { isObject } from "./json";
import { AddRow, RemoveRow } from "./Rows";
import { type Axis, type Draft, type Many, sizeOf } from "./requests";
import { Section } from "./Section";
import classes from "./Submit.module.css";

interface ManySectionProps {
  draft: Draft;
  /** Inputs of the method that one may vary; without a method any name will do. */
  fields: Field[];
  /** Its steps are a batch already: only its pace is to be said. */
  isPipeline: boolean;
  onChange(part: Partial<Draft>): void;
}

const STARTS: { [as in Many["as"]]: Many } = {
  one: { as: "one" },
  matrix: { as: "matrix", axes: [{ of: "inputs", name: "", values: [] }] },
  count: { as: "count", count: 10 },
  items: { as: "items", items: [] },
};

/** One execution, or a batch of many: every combination of some values, so many alike, or a list. */
export function ManySection({ draft, fields, isPipeline, onChange }: ManySectionProps) {
  const { many } = draft;
  if (isPipeline)
    return (
      <Section title="Pace" paths={["max_parallel"]}>
        <Pace draft={draft} onChange={onChange} />
      </Section>
    );
  const size = sizeOf(many);
  return (
    <Section
      title="Many at once"
      paths={["matrix", "count", "items", "max_parallel"]}
      summary={many.as === "one" ? "one execution" : `${size} executions`}
    >
      <SegmentedControl
        fullWidth
        aria-label="How many"
        value={many.as}
        data={[
          { value: "one", label: "One" },
          { value: "matrix", label: "Combinations" },
          { value: "count", label: "Copies" },
          { value: "items", label: "A list" },
        ]}
        onChange={(as) => onChange({ many: STARTS[as as Many["as"]] })}
      />
      {many.as === "matrix" && (
        <Axes
          axes={many.axes}
          fields={fields}
          onChange={(axes) => onChange({ many: { as: "matrix", axes } })}
        />
      )}
      {many.as === "count" && (
        <Count count={many.count} onChange={(count) => onChange({ many: { as: "count", count } })} />
      )}
      {many.as === "items" && (
        <JsonInput
          id={idOf("items")}
          label="What each of them has of its own"
          description='Laid over the rest of this form, one object each: [{"inputs": {"rate": 0.1}}, {"image": "other"}]'
          value={many.items}
          onChange={(items) => onChange({ many: { as: "items", items: Array.isArray(items) ? items : [] } })}
        />
      )}
      {many.as !== "one" && (
        <>
          <Text fz="sm" c="dimmed">
            A batch of {size.toLocaleString()}, accepted all or none.
          </Text>
          <Pace draft={draft} onChange={onChange} />
        </>
      )}
    </Section>
  );
}

/** How many of a batch run side by side, and what a failure means to the others. */
function Pace({ draft, onChange }: Pick<ManySectionProps, "draft" | "onChange">) {
  const { errors } = useForm();
  return (
    <div className={classes.columns}>
      <NumberInput
        id={idOf("max_parallel")}
        label="At once"
        description="So many of them at most"
        placeholder="As many as there are slots"
        error={errors.at("max_parallel")}
        clampBehavior="none"
        allowDecimal={false}
        value={draft.maxParallel ?? ""}
        onChange={(said) => onChange({ maxParallel: said === "" ? undefined : Number(said) })}
      />
      <Checkbox
        mt="md"
        label="The first that fails cancels the others"
        checked={draft.failFast === true}
        onChange={({ currentTarget }) => onChange({ failFast: currentTarget.checked })}
      />
    </div>
  );
}

function Count({ count, onChange }: { count: number; onChange(count: number): void }) {
  const { errors } = useForm();
  return (
    <NumberInput
      id={idOf("count")}
      label="Copies"
      description="Each finds its number in TAILRACE_BATCH_INDEX"
      maw="14rem"
      error={errors.at("count")}
      clampBehavior="none"
      allowDecimal={false}
      value={count}
      onChange={(said) => onChange(Number(said))}
    />
  );
}

interface AxesProps {
  axes: Axis[];
  fields: Field[];
  onChange(axes: Axis[]): void;
}

function Axes({ axes, fields, onChange }: AxesProps) {
  const { errors } = useForm();
  const replace = (index: number, part: Partial<Axis>) =>
    onChange(axes.map((axis, at) => (at === index ? { ...axis, ...part } : axis)));
  const typeOf = ({ of, name }: Axis) =>
    of === "env" ? "string" : fields.find((field) => field.name === name)?.schema.type;
  return (
    <>
      {axes.map((axis, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: an axis is known by its place
        <div key={index} className={classes.row}>
          <AxisName axis={axis} fields={fields} onChange={(part) => replace(index, part)} />
          <TagsInput
            className={classes.grow}
            aria-label={`Values of ${axis.name || "it"}`}
            placeholder={axis.values.length > 0 ? undefined : "Its values, with Enter after each"}
            value={axis.values.map(spelled)}
            error={axis.name ? errors.at(`matrix.${axis.of}.${axis.name}`) : undefined}
            splitChars={[","]}
            acceptValueOnBlur
            onChange={(said) => replace(index, { values: said.map((each) => typed(each, typeOf(axis))) })}
          />
          <RemoveRow
            what={axis.name || "this row"}
            onClick={() => onChange(axes.filter((_, at) => at !== index))}
          />
        </div>
      ))}
      <AddRow onClick={() => onChange([...axes, { of: "inputs", name: "", values: [] }])}>What varies</AddRow>
    </>
  );
}

function AxisName({
  axis,
  fields,
  onChange,
}: {
  axis: Axis;
  fields: Field[];
  onChange(part: Partial<Axis>): void;
}) {
  const { body } = useForm();
  const inputs =
    fields.length > 0
      ? fields.map(({ name }) => name)
      : Object.keys(isObject(body["inputs"]) ? body["inputs"] : {});
  const variables = Object.keys(isObject(body["env"]) ? body["env"] : {});
  const known = [...inputs.map((name) => `inputs.${name}`), ...variables.map((name) => `env.${name}`)];
  const current = axis.name ? `${axis.of}.${axis.name}` : "";
  if (fields.length > 0)
    return (
      <Select
        className={classes.narrow}
        aria-label="What varies"
        placeholder="Which input"
        data={inputs}
        value={axis.name || null}
        onChange={(name) => onChange({ of: "inputs", name: name ?? "" })}
      />
    );
  return (
    <TagsInput
      className={classes.narrow}
      aria-label="What varies"
      placeholder={current ? undefined : "inputs.rate or env.SEED"}
      data={known}
      value={current ? [current] : []}
      maxTags={1}
      acceptValueOnBlur
      onChange={(said) => {
        const [path = ""] = said.slice(-1);
        const isVariable = path.startsWith("env.");
        onChange({ of: isVariable ? "env" : "inputs", name: path.replace(/^(env|inputs)\./, "") });
      }}
    />
  );
}
