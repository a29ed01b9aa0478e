import { Skeleton, Text } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./Home.module.css";

interface FigureProps {
  name: string;
  /** Undefined while it is fetched: its place is kept. */
  children: ReactNode;
}

/** A number with its name. */
export function Figure({ name, children }: FigureProps) {
  return (
    <div className={classes.figure}>
      <Text fz="xs" c="dimmed" truncate>
        {name}
      </Text>
      <Skeleton visible={children === undefined} w="fit-content">
        <span className={`${classes.value} tabular`}>{children ?? "1,000"}</span>
      </Skeleton>
    </div>
  );
}
