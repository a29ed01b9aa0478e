import {
  ActionIcon,
  Button,
  FileButton,
  Group,
  Input,
  Progress,
  Text,
  Textarea,
  TextInput,
} from "@mantine/core";
import { IconFile, IconUpload, IconX } from "@tabler/icons-react";
import { type DragEvent, type ReactNode, useState } from "react";
import { spellBytes } from "../ui/Bytes";
import { ChooseFile } from "./ChooseFile";
import { useBlock } from "./form";
import { isObject, type Json, type JsonObject } from "./json";
import classes from "./Submit.module.css";
import { upload as sendFile } from "./uploading";
import { useUpload } from "./useUpload";

interface FileFieldProps {
  /** Of its element. */
  id: string;
  label: string;
  description?: string | undefined;
  required?: boolean;
  value: Json | undefined;
  error: string | undefined;
  /** The file's name is part of the value. */
  named?: boolean;
  /** `name` is told of a file that was chosen. */
  onChange: (value: Json | undefined, name?: string) => void;
}

type Way = "choose" | "write" | "url" | null;

/** Where a file comes from: uploaded here and now or before, written by hand, or fetched from a URL. */
export function FileField(props: FileFieldProps) {
  const { id, label, description, required = false, value, error, named = false, onChange } = props;
  const [way, setWay] = useState<Way>(null);
  const source = isObject(value) ? value : typeof value === "string" ? { id: value } : null;

  function choose(file: { id: string; name: string; bytes: number }): void {
    sizes.set(file.id, file);
    onChange(named ? { id: file.id, name: file.name } : { id: file.id }, file.name);
    setWay(null);
  }

  const { upload, start } = useUpload(sendFile, choose);
  useBlock(id, upload && !upload.problem ? `${label} is being uploaded.` : null);

  const content = upload ? (
    <Uploading {...upload} />
  ) : source ? (
    <Held
      source={source}
      onEdit={way === "write" ? null : () => setWay("write")}
      onClear={() => onChange(undefined)}
    />
  ) : (
    <Ways label={label} onFile={start} onWay={setWay} />
  );
  return (
    <Input.Wrapper
      label={label}
      description={description}
      withAsterisk={required}
      error={upload?.problem ?? error}
      labelElement="div"
    >
      <Zone id={id} label={label} isHeld={source !== null} isWrong={error !== undefined} onFile={start}>
        {content}
      </Zone>
      {!upload && (
        <ChosenWay
          way={way}
          source={source}
          label={label}
          named={named}
          onChoose={choose}
          onChange={onChange}
        />
      )}
    </Input.Wrapper>
  );
}

interface ZoneProps {
  id: string;
  label: string;
  isHeld: boolean;
  isWrong: boolean;
  onFile(file: File): void;
  children: ReactNode;
}

/** Where a file can be dropped. */
function Zone({ id, label, isHeld, isWrong, onFile, children }: ZoneProps) {
  const [isOver, setOver] = useState(false);

  function drop(event: DragEvent): void {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file) onFile(file);
  }

  return (
    <fieldset
      id={id}
      aria-label={label}
      className={`${classes.drop} ${isHeld ? classes.held : ""}`}
      data-over={isOver}
      data-wrong={isWrong}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      {children}
    </fieldset>
  );
}

interface WayProps {
  way: Way;
  source: JsonObject | null;
  label: string;
  named: boolean;
  onChoose(file: { id: string; name: string; bytes: number }): void;
  onChange(value: Json | undefined): void;
}

/** The way that was chosen, beside an upload. */
function ChosenWay({ way, source, label, named, onChoose, onChange }: WayProps) {
  if (way === "write" && (!source || "text" in source))
    return <Written source={source} named={named} onChange={onChange} />;
  if (source) return null;
  if (way === "choose") return <ChooseFile label={label} onChoose={onChoose} />;
  return way === "url" ? <Fetched label={label} onChange={onChange} /> : null;
}

/** What is known of files that were chosen, by id: a submission says the id alone. */
const sizes = new Map<string, { name: string; bytes: number }>();

function Ways({ label, onFile, onWay }: { label: string; onFile(file: File): void; onWay(way: Way): void }) {
  return (
    <>
      <FileButton onChange={(file) => file && onFile(file)} inputProps={{ "aria-label": `Upload: ${label}` }}>
        {(props) => (
          <Button {...props} size="compact-sm" variant="light" leftSection={<IconUpload size={14} />}>
            Upload
          </Button>
        )}
      </FileButton>
      <Button size="compact-sm" variant="default" onClick={() => onWay("choose")}>
        Uploaded before
      </Button>
      <Button size="compact-sm" variant="default" onClick={() => onWay("write")}>
        Write it
      </Button>
      <Button size="compact-sm" variant="default" onClick={() => onWay("url")}>
        From a URL
      </Button>
      <Text fz="xs" c="dimmed" visibleFrom="sm">
        or drop it here
      </Text>
    </>
  );
}

interface UploadingProps {
  name: string;
  bytes: number;
  sent: number;
  problem: string | null;
  cancel(): void;
}

function Uploading({ name, bytes, sent, problem, cancel }: UploadingProps) {
  const percent = bytes > 0 ? Math.floor((100 * sent) / bytes) : 100;
  return (
    <div style={{ flex: 1, minWidth: 0 }}>
      <Group gap="xs" wrap="nowrap" justify="space-between">
        <span className={classes.filename}>{name}</span>
        <Group gap="xs" wrap="nowrap">
          <Text fz="xs" c="dimmed" className="tabular">
            {spellBytes(sent)} of {spellBytes(bytes)}
          </Text>
          <Button size="compact-xs" variant="default" onClick={cancel}>
            {problem ? "Dismiss" : "Cancel"}
          </Button>
        </Group>
      </Group>
      <Progress
        value={percent}
        size="sm"
        mt={6}
        aria-label={`Upload of ${name}`}
        color={problem ? "red" : "race"}
      />
    </div>
  );
}

interface HeldProps {
  source: JsonObject;
  /** To change what was written by hand; null: it is being changed. */
  onEdit: (() => void) | null;
  onClear(): void;
}

function Held({ source, onEdit, onClear }: HeldProps) {
  const id = typeof source["id"] === "string" ? source["id"] : null;
  const known = id ? sizes.get(id) : undefined;
  const text = typeof source["text"] === "string" ? source["text"] : null;
  const called =
    source["name"] ?? known?.name ?? source["url"] ?? (id ? `File …${id.slice(-8)}` : "Written here");
  const bytes = known?.bytes ?? (text === null ? null : new TextEncoder().encode(text).length);
  return (
    <>
      <IconFile size={18} aria-hidden />
      <span className={classes.filename}>{String(called)}</span>
      {bytes !== null && (
        <Text component="span" fz="xs" c="dimmed" className="tabular">
          {spellBytes(bytes)}
        </Text>
      )}
      {text !== null && onEdit && (
        <Button size="compact-xs" variant="default" onClick={onEdit}>
          Edit
        </Button>
      )}
      <ActionIcon
        variant="subtle"
        color="gray"
        ml="auto"
        aria-label={`Take ${String(called)} away`}
        onClick={onClear}
      >
        <IconX size={16} />
      </ActionIcon>
    </>
  );
}

function Written({
  source,
  named,
  onChange,
}: {
  source: JsonObject | null;
  named: boolean;
  onChange(value: Json | undefined): void;
}) {
  const [name, setName] = useState(typeof source?.["name"] === "string" ? source["name"] : "");
  const [text, setText] = useState(typeof source?.["text"] === "string" ? source["text"] : "");
  const say = (said: string, called: string) =>
    onChange(said ? { text: said, ...(named && called ? { name: called } : {}) } : undefined);
  return (
    <div className={classes.content} style={{ padding: "0.5rem 0 0", gap: "0.5rem" }}>
      {named && (
        <TextInput
          size="xs"
          label="Called"
          placeholder="table.csv"
          value={name}
          onChange={({ currentTarget }) => {
            setName(currentTarget.value);
            say(text, currentTarget.value);
          }}
        />
      )}
      <Textarea
        className={classes.mono}
        aria-label="What is in the file"
        placeholder="What is in the file, as plain text"
        value={text}
        autosize
        minRows={3}
        maxRows={14}
        spellCheck={false}
        onChange={({ currentTarget }) => {
          setText(currentTarget.value);
          say(currentTarget.value, name);
        }}
      />
    </div>
  );
}

function Fetched({ label, onChange }: { label: string; onChange(value: Json): void }) {
  const [url, setUrl] = useState("");
  return (
    <div className={classes.row} style={{ marginTop: 8 }}>
      <TextInput
        className={classes.grow}
        aria-label={`URL of ${label}`}
        placeholder="https://example.com/data.csv"
        value={url}
        onChange={({ currentTarget }) => setUrl(currentTarget.value)}
      />
      <Button variant="default" disabled={!url.trim()} onClick={() => onChange({ url: url.trim() })}>
        Take it
      </Button>
    </div>
  );
}
