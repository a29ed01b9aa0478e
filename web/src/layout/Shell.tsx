import { AppShell, Burger, Group, Text } from "@mantine/core";
import { useDisclosure, useHotkeys } from "@mantine/hooks";
import { Link, Outlet, useRouter } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import mark from "../favicon.svg";
import { LoginAgain } from "../session/LoginAgain";
import { isFocusLost } from "../ui/focus";
import { Account } from "./Account";
import { ColorScheme } from "./ColorScheme";
import { ConnectionDot } from "./ConnectionDot";
import { Navigation } from "./Navigation";
import { Search } from "./Search";
import classes from "./Shell.module.css";

/** What is around every page: where one can go, a search, how the connection stands, and who one is. */
export function Shell() {
  const [opened, { toggle, close }] = useDisclosure();
  const burger = useRef<HTMLButtonElement>(null);
  useFocusOnNewPages();
  function leave(): void {
    close();
    burger.current?.focus();
  }
  useHotkeys(opened ? [["Escape", leave]] : []);

  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 232, breakpoint: "md", collapsed: { mobile: !opened } }}
      padding={{ base: "sm", sm: "lg" }}
    >
      <a className={classes.skip} href="#main">
        Skip to the content
      </a>
      <AppShell.Header className={classes.header}>
        <Group h="100%" px={{ base: "xs", sm: "md" }} gap="xs" wrap="nowrap">
          <Burger
            ref={burger}
            opened={opened}
            onClick={toggle}
            hiddenFrom="md"
            size="sm"
            aria-label="Navigation"
            aria-expanded={opened}
          />
          <Link to="/" className={classes.brand} onClick={close} aria-label="Tailrace, to the start">
            <img src={mark} alt="" width={28} height={28} />
            <Text component="span" fw={650} fz="lg" visibleFrom="sm">
              Tailrace
            </Text>
          </Link>
          <Search />
          <Group gap={4} wrap="nowrap" ml="auto">
            <ConnectionDot />
            <ColorScheme />
            <Account />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar className={classes.navbar} mod={{ opened }} p="xs">
        <Navigation onGo={close} />
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} className={classes.main}>
        <Outlet />
      </AppShell.Main>
      <LoginAgain />
    </AppShell>
  );
}

/** Where a link was, whose page is gone: keys go on in the new page instead of at the top. */
function useFocusOnNewPages(): void {
  const router = useRouter();
  useEffect(
    () =>
      router.subscribe("onRendered", ({ fromLocation, pathChanged }) => {
        if (fromLocation && pathChanged && isFocusLost())
          document.getElementById("main")?.focus({ preventScroll: true });
      }),
    [router],
  );
}
