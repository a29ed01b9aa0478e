import { TextInput } from "@mantine/core";
import { useRef, useState } from "react";
import { FileField } from "./FileField";
import { idOf, useBound, useForm } from "./form";
import { JsonField } from "./JsonField";
import { isObject, type Json, type JsonObject } from "./json";
import { AddRow, RemoveRow } from "./Rows";
import { Section } from "./Section";
import classes from "./Submit.module.css";

interface Row {
  id: number;
  path: string;
  source: Json | undefined;
}

/** What the program finds in `/tailrace/inputs`. */
export function FilesSection({ withInputs }: { withInputs: boolean }) {
  const { body } = useForm();
  const count = isObject(body["files"]) ? Object.keys(body["files"]).length : 0;
  return (
    <Section
      title={withInputs ? "Inputs and files" : "More files"}
      paths={withInputs ? ["inputs", "files"] : ["files"]}
      summary={count > 0 ? `${count} file${count === 1 ? "" : "s"}` : null}
      opened={withInputs}
    >
      {withInputs && (
        <JsonField
          path="inputs"
          label="Inputs"
          description="JSON by name; the program finds it in /tailrace/inputs.json, and each as INPUT_<NAME>."
          placeholder={'{"rows": 100}'}
        />
      )}
      <FileRows />
    </Section>
  );
}

function FileRows() {
  const { value, set } = useBound("files");
  const { errors } = useForm();
  const [rows, setRows] = useState<Row[]>(() => rowsOf(isObject(value) ? value : {}));
  const latest = useRef(rows);

  function change(next: Row[]): void {
    latest.current = next;
    setRows(next);
    const files: JsonObject = {};
    for (const { path, source } of next) if (path && source !== undefined) files[path] = source;
    set(files);
  }

  // An upload may end long after it was begun, when rows are others.
  const replace = (id: number, part: (row: Row) => Partial<Row>) =>
    change(latest.current.map((row) => (row.id === id ? { ...row, ...part(row) } : row)));

  return (
    <>
      {rows.map((row) => (
        <div key={row.id} className={classes.row}>
          <TextInput
            className={`${classes.narrow} ${classes.mono}`}
            label="Path"
            placeholder="data/rows.csv"
            value={row.path}
            onChange={({ currentTarget: { value: path } }) => replace(row.id, () => ({ path }))}
            spellCheck={false}
          />
          <div className={classes.grow}>
            <FileField
              id={idOf(`files.${row.path || row.id}`)}
              label={`File ${row.path}`.trim()}
              value={row.source}
              error={row.path ? errors.at(`files.${row.path}`) : undefined}
              onChange={(source, name) =>
                replace(row.id, ({ path }) => ({ source, path: path || (name ?? "") }))
              }
            />
          </div>
          <RemoveRow
            what={row.path || "this file"}
            isLabeled
            onClick={() => change(latest.current.filter(({ id }) => id !== row.id))}
          />
        </div>
      ))}
      <AddRow onClick={() => change([...latest.current, { id: Date.now(), path: "", source: undefined }])}>
        File
      </AddRow>
    </>
  );
}

function rowsOf(files: JsonObject): Row[] {
  return Object.entries(files).map(([path, source], id) => ({ id, path, source }));
}
