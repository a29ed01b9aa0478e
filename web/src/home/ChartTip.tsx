import { Paper, Text } from "@mantine/core";
import { Dot } from "./Dot";
import classes from "./Home.module.css";

export interface TipRow {
  name: string;
  value: string;
  /** As in the chart; left out for what is not drawn. */
  color?: string;
}

/** What a step has, beside the pointer. */
export function ChartTip({ title, rows }: { title: string; rows: readonly TipRow[] }) {
  return (
    <Paper className={classes.tip} withBorder shadow="sm">
      <Text fz="sm" fw={600} mb={4} className="tabular">
        {title}
      </Text>
      {rows.map(({ name, value, color }) => (
        <div key={name} className={classes.tipRow}>
          <Dot color={color} />
          <span>{name}</span>
          <span className="tabular">{value}</span>
        </div>
      ))}
    </Paper>
  );
}
