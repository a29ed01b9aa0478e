import { Group, Text, Title } from "@mantine/core";
import type { Worker } from "../api/types";
import { useMay } from "../session/session";
import { RelativeTime } from "../ui/RelativeTime";
import { StateMark } from "../ui/StateMark";
import { Held } from "./Held";
import { Slots } from "./Slots";
import { STATES, troublesOf } from "./standing";
import { WorkerMenu } from "./WorkerMenu";
import classes from "./Workers.module.css";

/** One worker: how it stands, what it runs now, and where it is. */
export function WorkerCard({ worker }: { worker: Worker }) {
  const isAdmin = useMay("admin");
  const { host, state, busy, slots, version, engine, pid } = worker;
  const { word, tone } = STATES[state];
  const troubles = troublesOf(worker);
  return (
    <article className={classes.worker} aria-label={`Worker ${host}, process ${pid}`} data-state={state}>
      <Group justify="space-between" wrap="nowrap" gap="xs">
        <Title order={3} className={classes.host} title={host}>
          {host}
        </Title>
        <Group gap={4} wrap="nowrap">
          <StateMark tone={state === "active" && troubles.length > 0 ? "bad" : tone}>{word}</StateMark>
          {isAdmin && <WorkerMenu worker={worker} />}
        </Group>
      </Group>
      {troubles.map((trouble) => (
        <Text key={trouble} fz="sm" className={classes.trouble}>
          {trouble}
        </Text>
      ))}
      {state !== "gone" && <Slots busy={busy} slots={slots} of={`${host}, process ${pid}`} />}
      <Held worker={worker} />
      <Text fz="xs" c="dimmed" component="div" className={classes.about}>
        {state === "gone" ? (
          <span>
            Went <RelativeTime at={worker.gone_at} />
          </span>
        ) : (
          <span>
            Heard <RelativeTime at={worker.heartbeat_at} />
          </span>
        )}
        <span>
          Started <RelativeTime at={worker.started_at} />
        </span>
        <span>Tailrace {version}</span>
        <span>Engine {engine.version}</span>
        <span>Process {pid}</span>
      </Text>
    </article>
  );
}
