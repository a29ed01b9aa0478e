import { ActionIcon, Loader, Text, TextInput, Tooltip } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import {
  IconChevronDown,
  IconChevronUp,
  IconFilter,
  IconLetterCase,
  IconSearch,
  IconX,
} from "@tabler/icons-react";
import { type KeyboardEvent, type RefObject, useState } from "react";
import classes from "./logs.module.css";
import type { Pattern } from "./query";
import { MOST_MATCHES, type Search } from "./search";

const TYPED_FOR = 300;
/** As the API has it. */
const PATTERN_CHARS = 1_000;

interface SearchBarProps {
  field: RefObject<HTMLInputElement | null>;
  search: Search | null;
  only: boolean;
  onOnly: (only: boolean) => void;
  onPattern: (pattern: Pattern | null) => void;
  onGo: (backwards: boolean) => void;
  onLeave: () => void;
}

/** What is looked for, how often it is there, and the way from one to the next. */
export function SearchBar({ field, search, only, onOnly, onPattern, onGo, onLeave }: SearchBarProps) {
  const [typed, setTyped] = useState("");
  const [ignoreCase, setIgnoreCase] = useState(true);
  const settle = useDebouncedCallback(
    (grep: string, ignoreCase: boolean) => onPattern(grep ? { grep, ignoreCase } : null),
    TYPED_FOR,
  );

  function look(grep: string, without = ignoreCase): void {
    setTyped(grep);
    setIgnoreCase(without);
    settle(grep, without);
  }

  function clear(): void {
    setTyped("");
    onOnly(false);
    onPattern(null);
    onLeave();
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === "Enter") {
      settle.flush();
      if (search) onGo(event.shiftKey);
    }
    if (event.key === "Escape") clear();
  }

  const problem = search?.problem ?? null;
  const isEmpty = search?.isWhole === true && search.found.length === 0;
  return (
    <search className={classes.search}>
      <TextInput
        ref={field}
        size="xs"
        value={typed}
        maxLength={PATTERN_CHARS}
        onChange={(event) => look(event.currentTarget.value)}
        onKeyDown={onKeyDown}
        aria-label="Search the log"
        placeholder="Search: a regular expression"
        leftSection={<IconSearch size={14} aria-hidden />}
        rightSectionWidth="4.25rem"
        rightSection={
          <ActionIcon.Group>
            <Toggle
              label="Capital letters count"
              isOn={!ignoreCase}
              onToggle={() => look(typed, !ignoreCase)}
            >
              <IconLetterCase size={16} />
            </Toggle>
            <Toggle label="Only lines that match" isOn={only} onToggle={() => onOnly(!only)}>
              <IconFilter size={14} />
            </Toggle>
          </ActionIcon.Group>
        }
        error={problem ? problemText(problem.errors[0]?.message ?? problem.detail) : null}
        errorProps={{ role: "alert" }}
        autoComplete="off"
        spellCheck={false}
      />
      {search && !problem && (
        <div className={classes.found}>
          <Text fz="xs" className="tabular" role="status" aria-label="Matches">
            {countOf(search)}
          </Text>
          {search.isGoing && <Loader size={12} aria-hidden />}
          <Way label="Previous match (p)" isOff={isEmpty} onGo={() => onGo(true)}>
            <IconChevronUp size={16} />
          </Way>
          <Way label="Next match (n)" isOff={isEmpty} onGo={() => onGo(false)}>
            <IconChevronDown size={16} />
          </Way>
          <Way label="End the search" isOff={false} onGo={clear}>
            <IconX size={14} />
          </Way>
        </div>
      )}
    </search>
  );
}

interface ToggleProps {
  label: string;
  isOn: boolean;
  onToggle: () => void;
  children: React.ReactNode;
}

function Toggle({ label, isOn, onToggle, children }: ToggleProps) {
  return (
    <Tooltip label={label}>
      <ActionIcon
        size="sm"
        variant={isOn ? "filled" : "subtle"}
        color={isOn ? undefined : "gray"}
        aria-label={label}
        aria-pressed={isOn}
        onClick={onToggle}
      >
        {children}
      </ActionIcon>
    </Tooltip>
  );
}

interface WayProps {
  label: string;
  isOff: boolean;
  onGo: () => void;
  children: React.ReactNode;
}

function Way({ label, isOff, onGo, children }: WayProps) {
  return (
    <Tooltip label={label}>
      <ActionIcon size="sm" variant="subtle" color="gray" aria-label={label} disabled={isOff} onClick={onGo}>
        {children}
      </ActionIcon>
    </Tooltip>
  );
}

/** `3 of 120`, or how many there are so far. */
function countOf({ found, place, isWhole, hasMore, share }: Search): string {
  const count = hasMore ? `${MOST_MATCHES.toLocaleString("en")}+` : found.length.toLocaleString("en");
  if (!isWhole && !hasMore) {
    const far = `${Math.floor(share * 100)} %`;
    return found.length === 0 ? `Searching… ${far}` : `${count} so far… ${far}`;
  }
  if (found.length === 0) return "No match";
  return place === null
    ? `${count} ${found.length === 1 ? "match" : "matches"}`
    : `${place.toLocaleString("en")} of ${count}`;
}

/** What the API says of a parameter, of the field that somebody sees. */
function problemText(said: string): string {
  const text = said.replace(/^`grep` /, "");
  return text.startsWith("is ") || text.startsWith("must ") ? `This ${text}` : text;
}
