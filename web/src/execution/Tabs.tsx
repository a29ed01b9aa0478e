import { Badge, Tabs as Bar } from "@mantine/core";
import type { ReactNode } from "react";
import type { Execution } from "../api/types";
import { JsonView } from "../ui/JsonView";
import { AttemptsPanel } from "./AttemptsPanel";
import { CodePanel } from "./CodePanel";
import { DetailsPanel } from "./DetailsPanel";
import classes from "./Execution.module.css";
import { HistoryPanel } from "./HistoryPanel";
import { LimitsPanel } from "./LimitsPanel";
import { LineagePanel } from "./LineagePanel";
import { LogPanel } from "./LogPanel";
import { OutputsPanel } from "./OutputsPanel";
import { ResultPanel } from "./ResultPanel";
import { type ExecutionSearch, isTab, TABS, type Tab } from "./search";
import { UsagePanel } from "./UsagePanel";

const WORD: Record<Tab, string> = {
  log: "Log",
  outputs: "Outputs",
  details: "Details",
  limits: "Limits",
  history: "History",
  attempts: "Attempts",
  result: "Result",
  usage: "Usage",
  code: "Code",
  lineage: "Lineage",
  json: "JSON",
};

interface TabsProps {
  record: Execution;
  /** Those that there are here. */
  tabs?: readonly Tab[];
  search: ExecutionSearch;
  onSearch: (search: ExecutionSearch) => void;
}

/** All that there is to look at of an execution, one thing at a time. */
export function Tabs({ record, tabs = TABS, search, onSearch }: TabsProps) {
  const tab = search.tab && tabs.includes(search.tab) ? search.tab : TABS[0];
  return (
    <Bar
      value={tab}
      onChange={(to) => isTab(to) && onSearch(to === TABS[0] ? {} : { tab: to })}
      keepMounted={false}
    >
      <Bar.List className={classes.tabs} mb="sm">
        {tabs.map((each) => (
          <Bar.Tab key={each} value={each} rightSection={countOf(each, record)}>
            {WORD[each]}
          </Bar.Tab>
        ))}
      </Bar.List>
      <Bar.Panel value={tab}>{panel(tab, record, search, onSearch)}</Bar.Panel>
    </Bar>
  );
}

function countOf(tab: Tab, { outputs, warnings, attempt }: Execution): ReactNode {
  const counts: Partial<Record<Tab, number>> = {
    outputs: outputs.expired_at ? 0 : outputs.files,
    result: warnings.length,
    attempts: attempt > 1 ? attempt : 0,
  };
  const count = counts[tab];
  if (!count) return null;
  return (
    <Badge variant="default" size="sm" fw={500} tt="none">
      {count.toLocaleString("en")}
      {tab === "result" && (count === 1 ? " warning" : " warnings")}
    </Badge>
  );
}

function panel(
  tab: Tab,
  record: Execution,
  search: ExecutionSearch,
  onSearch: TabsProps["onSearch"],
): ReactNode {
  switch (tab) {
    case "log":
      return <LogPanel id={record.id} />;
    case "outputs":
      return (
        <OutputsPanel
          record={record}
          path={search.path}
          onPath={(path) => onSearch({ tab: "outputs", path })}
        />
      );
    case "details":
      return <DetailsPanel record={record} />;
    case "limits":
      return <LimitsPanel record={record} />;
    case "history":
      return <HistoryPanel id={record.id} />;
    case "attempts":
      return <AttemptsPanel id={record.id} />;
    case "result":
      return <ResultPanel record={record} />;
    case "usage":
      return <UsagePanel record={record} />;
    case "code":
      return <CodePanel id={record.id} />;
    case "lineage":
      return <LineagePanel record={record} />;
    case "json":
      return <JsonView value={record} label="Record" />;
  }
}
