import { TextInput } from "@mantine/core";
import { useHotkeys } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useRef } from "react";
import classes from "./Shell.module.css";

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Finds executions by id, words of their names, notes and labels. `/` leads to it. */
export function Search() {
  const navigate = useNavigate();
  const field = useRef<HTMLInputElement>(null);
  useHotkeys([["/", () => field.current?.focus()]]);

  function find(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const words = field.current?.value.trim() ?? "";
    if (ID.test(words)) void navigate({ to: "/executions/$id", params: { id: words.toLowerCase() } });
    else void navigate({ to: "/executions", search: words ? { q: words } : {} });
    field.current?.blur();
  }

  return (
    <search className={classes.search}>
      <form onSubmit={find}>
        <TextInput
          ref={field}
          name="q"
          aria-label="Search executions"
          placeholder="Search by id, name or label"
          leftSection={<IconSearch size={16} aria-hidden />}
          autoComplete="off"
          spellCheck={false}
        />
      </form>
    </search>
  );
}
