import { ActionIcon, Input, PasswordInput, TextInput, Tooltip } from "@mantine/core";
import { IconArrowBackUp } from "@tabler/icons-react";
import { useState } from "react";
import { KEPT } from "./again";
import { useBound, useForm } from "./form";
import { isObject, type JsonObject } from "./json";
import { AddRow, RemoveRow } from "./Rows";
import classes from "./Submit.module.css";

interface PairsFieldProps {
  path: string;
  label: string;
  description?: string;
  /** How the two parts are called. */
  parts: readonly [string, string];
  /** What the button says. */
  add: string;
  /** Values are not shown. */
  secret?: boolean;
}

interface Pair {
  id: number;
  key: string;
  value: string;
  /** By which name its value is on record, and not shown. */
  kept: string | null;
}

/** An object of texts, as rows of name and value. */
export function PairsField({ path, label, description, parts, add, secret = false }: PairsFieldProps) {
  const { value, set } = useBound(path);
  const { errors } = useForm();
  const [pairs, setPairs] = useState<Pair[]>(() => pairsOf(isObject(value) ? value : {}));

  function change(next: Pair[]): void {
    setPairs(next);
    set(Object.fromEntries(next.filter(({ key }) => key !== "").map(({ key, value: said }) => [key, said])));
  }

  const replace = (id: number, part: Partial<Pair>) =>
    change(pairs.map((pair) => (pair.id === id ? { ...pair, ...part } : pair)));

  return (
    <Input.Wrapper label={label} description={description} error={errors.exactlyAt(path)} labelElement="div">
      <div className={classes.content} style={{ padding: "0.25rem 0 0", gap: "0.5rem" }}>
        {pairs.map((pair) => (
          <div className={classes.row} key={pair.id}>
            <TextInput
              className={`${classes.narrow} ${classes.mono}`}
              aria-label={`${parts[0]} of ${label.toLowerCase()}`}
              placeholder={parts[0]}
              value={pair.key}
              onChange={(event) => {
                const { value: key } = event.currentTarget;
                // By another name there is nothing to be kept.
                replace(pair.id, { key, ...(pair.value === KEPT ? { value: "" } : {}) });
              }}
              spellCheck={false}
            />
            <ValueInput
              label={`${parts[1]} of ${pair.key || "it"}`}
              placeholder={pair.value === KEPT ? (secret ? "Give it again" : "As it was") : parts[1]}
              secret={secret}
              value={pair.value === KEPT ? "" : pair.value}
              error={pair.key ? errors.at(`${path}.${pair.key}`) : undefined}
              onChange={(said) => replace(pair.id, { value: said })}
            />
            {pair.kept !== null && pair.value !== KEPT && !secret && (
              <Tooltip label="As it was">
                <ActionIcon
                  variant="subtle"
                  color="gray"
                  size="input-sm"
                  aria-label={`${pair.kept} as it was`}
                  onClick={() => replace(pair.id, { key: pair.kept ?? "", value: KEPT })}
                >
                  <IconArrowBackUp size={16} />
                </ActionIcon>
              </Tooltip>
            )}
            <RemoveRow
              what={pair.key || "this row"}
              onClick={() => change(pairs.filter(({ id }) => id !== pair.id))}
            />
          </div>
        ))}
        <AddRow onClick={() => setPairs([...pairs, { id: nextId(pairs), key: "", value: "", kept: null }])}>
          {add}
        </AddRow>
      </div>
    </Input.Wrapper>
  );
}

interface ValueInputProps {
  label: string;
  placeholder: string;
  secret: boolean;
  value: string;
  error: string | undefined;
  onChange(value: string): void;
}

function ValueInput({ label, secret, onChange, ...rest }: ValueInputProps) {
  const Field = secret ? PasswordInput : TextInput;
  return (
    <Field
      className={`${classes.grow} ${secret ? "" : classes.mono}`}
      aria-label={label}
      autoComplete={secret ? "new-password" : "off"}
      spellCheck={false}
      onChange={(event) => onChange(event.currentTarget.value)}
      {...rest}
    />
  );
}

function pairsOf(value: JsonObject): Pair[] {
  return Object.entries(value).map(([key, said], id) => ({
    id,
    key,
    value: String(said),
    kept: said === KEPT ? key : null,
  }));
}

function nextId(pairs: readonly Pair[]): number {
  return Math.max(-1, ...pairs.map(({ id }) => id)) + 1;
}
