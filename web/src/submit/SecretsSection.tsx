import { Input, Select, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { secretsQuery } from "../secrets/queries";
import { useBound, useForm } from "./form";
import { isObject, type Json } from "./json";
import { PairsField } from "./PairsField";
import { hiddenIn } from "./prefill";
import { AddRow, RemoveRow } from "./Rows";
import { Section } from "./Section";
import classes from "./Submit.module.css";

/** Variables that everybody sees, and secrets that nobody does. */
export function SecretsSection() {
  const { body } = useForm();
  const count = (name: string) => (isObject(body[name]) ? Object.keys(body[name]).length : 0);
  const secrets = count("secrets") + count("named_secrets");
  const said = [
    count("env") > 0 ? `${count("env")} variable${count("env") === 1 ? "" : "s"}` : null,
    secrets > 0 ? `${secrets} secret${secrets === 1 ? "" : "s"}` : null,
  ].filter(Boolean);
  return (
    <Section
      title="Variables and secrets"
      paths={["env", "secrets", "named_secrets"]}
      summary={said.join(", ")}
      opened={count("secrets") > 0 || hiddenIn({ env: body["env"] ?? null }) !== null}
    >
      <PairsField path="env" label="Variables" parts={["NAME", "Value"]} add="Variable" />
      <PairsField
        path="secrets"
        label="Secrets"
        description="Variables that no record, list or log shows. They are deleted when it has ended."
        parts={["NAME", "Value"]}
        add="Secret"
        secret
      />
      <NamedSecrets />
    </Section>
  );
}

interface Row {
  id: number;
  key: string;
  name: string | null;
  via: string;
}

/** Secrets that were put before, as files or variables. */
function NamedSecrets() {
  const { value, set } = useBound("named_secrets");
  const { errors } = useForm();
  const [rows, setRows] = useState<Row[]>(() => rowsOf(value));
  const stored = useQuery(secretsQuery);
  const names = stored.data?.items.map(({ name }) => name) ?? [];

  function change(next: Row[]): void {
    setRows(next);
    const said = next.filter(({ key, name }) => key && name);
    set(Object.fromEntries(said.map(({ key, name, via }) => [key, { name, via }])));
  }

  const replace = (id: number, part: Partial<Row>) =>
    change(rows.map((row) => (row.id === id ? { ...row, ...part } : row)));

  return (
    <Input.Wrapper
      label="Secrets that you keep here"
      description="By their names; the program finds each as a file or a variable."
      error={errors.exactlyAt("named_secrets")}
      labelElement="div"
    >
      <div className={classes.content} style={{ padding: "0.25rem 0 0", gap: "0.5rem" }}>
        {rows.map((row) => (
          <div key={row.id} className={classes.row}>
            <Select
              className={classes.grow}
              aria-label="Name of the secret"
              placeholder={names.length > 0 ? "Which one" : "There is none yet"}
              data={names}
              value={row.name}
              error={row.key ? errors.at(`named_secrets.${row.key}`) : undefined}
              onChange={(name) => replace(row.id, { name, key: row.key || asKey(name ?? "") })}
            />
            <TextInput
              className={`${classes.grow} ${classes.mono}`}
              aria-label="What it is called for the program"
              placeholder="AS_NAME"
              value={row.key}
              onChange={({ currentTarget }) => replace(row.id, { key: currentTarget.value })}
            />
            <Select
              w="7.5rem"
              aria-label="How the program gets it"
              data={[
                { value: "file", label: "File" },
                { value: "env", label: "Variable" },
              ]}
              allowDeselect={false}
              value={row.via}
              onChange={(via) => replace(row.id, { via: via ?? "file" })}
            />
            <RemoveRow
              what={row.key || "this row"}
              onClick={() => change(rows.filter(({ id }) => id !== row.id))}
            />
          </div>
        ))}
        <AddRow onClick={() => setRows([...rows, { id: Date.now(), key: "", name: null, via: "file" }])}>
          Stored secret
        </AddRow>
      </div>
    </Input.Wrapper>
  );
}

function rowsOf(value: Json | undefined): Row[] {
  if (!isObject(value)) return [];
  return Object.entries(value).map(([key, ref], id) => {
    const { name, via } = isObject(ref) ? ref : {};
    return {
      id,
      key,
      name: typeof name === "string" ? name : null,
      via: typeof via === "string" ? via : "file",
    };
  });
}

/** `hub-token` as `HUB_TOKEN`. */
function asKey(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]+/g, "_");
}
