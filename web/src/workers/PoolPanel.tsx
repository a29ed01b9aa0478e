import { Group, Text, Title } from "@mantine/core";
import { useId } from "react";
import { ACTIVE, type Pool } from "../api/types";
import { useMay } from "../session/session";
import { TextLink } from "../ui/IdLink";
import ui from "../ui/ui.module.css";
import { PoolMenu } from "./PoolMenu";
import { Slots } from "./Slots";
import { limitsOf, type Staffed, whyStill } from "./standing";
import { WorkerCard } from "./WorkerCard";
import classes from "./Workers.module.css";

const [, ...BUSY] = ACTIVE;

/** A pool: what waits and runs, its limits, and its workers. */
export function PoolPanel({ staffed: { name, pool, workers } }: { staffed: Staffed }) {
  const isAdmin = useMay("admin");
  const heading = useId();
  const still = pool && whyStill(pool);
  return (
    <section className={`${ui.panel} ${classes.pool}`} aria-labelledby={heading}>
      <Group justify="space-between" wrap="nowrap" align="flex-start" gap="xs">
        <div className={classes.title}>
          <Title order={2} id={heading}>
            {name}
          </Title>
          {pool?.description && (
            <Text fz="sm" c="dimmed">
              {pool.description}
            </Text>
          )}
        </div>
        {pool && isAdmin && <PoolMenu pool={pool} />}
      </Group>
      {pool && <Standing pool={pool} />}
      {still && (
        <Text fz="sm" className={classes.trouble} role="note">
          {still}
        </Text>
      )}
      {workers.length > 0 && (
        <ul className={classes.workers}>
          {workers.map((worker) => (
            <li key={worker.id}>
              <WorkerCard worker={worker} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Standing({ pool }: { pool: Pool }) {
  const { name, queued, running, slots } = pool;
  return (
    <dl className={classes.facts}>
      <div>
        <dt>Waiting</dt>
        <dd>
          <TextLink to="/executions" search={{ pool: [name], status: ["queued"] }}>
            {queued.toLocaleString()}
          </TextLink>
        </dd>
      </div>
      <div>
        <dt>Under way</dt>
        <dd>
          <TextLink to="/executions" search={{ pool: [name], status: BUSY }}>
            {running.toLocaleString()}
          </TextLink>
        </dd>
      </div>
      <div>
        <dt>Slots</dt>
        <dd>
          <Slots busy={running} slots={slots} of={`the pool ${name}`} />
        </dd>
      </div>
      <div className={classes.limits}>
        <dt>Limits</dt>
        <dd>{limitsOf(pool)}</dd>
      </div>
    </dl>
  );
}
