import { Center, Skeleton, Text } from "@mantine/core";
import { type ReactNode, Suspense } from "react";
import { CHART_HEIGHT } from "./chart";

interface ChartFrameProps {
  /** What to say where there is nothing to draw. */
  empty?: string | undefined;
  /** The chart; undefined until its numbers have come. */
  children: ReactNode;
}

/** Keeps the place of a chart: while it is loaded, while its numbers are, and where there are none. */
export function ChartFrame({ empty, children }: ChartFrameProps) {
  if (empty) {
    return (
      <Center h={CHART_HEIGHT}>
        <Text fz="sm" c="dimmed">
          {empty}
        </Text>
      </Center>
    );
  }
  const waiting = <Skeleton h={CHART_HEIGHT} />;
  return <Suspense fallback={waiting}>{children ?? waiting}</Suspense>;
}
