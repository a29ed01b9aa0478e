import {
  Anchor,
  type CSSVariablesResolver,
  createTheme,
  type MantineColorsTuple,
  Menu,
  Modal,
  Notification,
  Table,
  Tooltip,
} from "@mantine/core";

/** The one accent: the blue-green of deep water. */
const race: MantineColorsTuple = [
  "#e9f6fa",
  "#d5ebf2",
  "#a9d6e5",
  "#7ac1d8",
  "#54afcd",
  "#3ba3c6",
  "#2b9dc3",
  "#1c89ad",
  "#00708f",
  "#005f7b",
];

const dark: MantineColorsTuple = [
  "#d3dae1",
  "#b4bec8",
  "#97a3ae",
  "#6f7b87",
  "#48535e",
  "#333d47",
  "#252d36",
  "#171d24",
  "#11161c",
  "#0b0f13",
];

export const theme = createTheme({
  primaryColor: "race",
  primaryShade: { light: 8, dark: 8 },
  colors: { race, dark },
  fontFamily: "'Inter Variable', system-ui, sans-serif",
  fontFamilyMonospace: "'JetBrains Mono Variable', ui-monospace, monospace",
  headings: {
    fontWeight: "650",
    sizes: { h1: { fontSize: "1.5rem" }, h2: { fontSize: "1.125rem" }, h3: { fontSize: "1rem" } },
  },
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Anchor: Anchor.extend({ defaultProps: { underline: "hover" } }),
    Menu: Menu.extend({ defaultProps: { returnFocus: true } }),
    Modal: Modal.extend({ defaultProps: { closeButtonProps: { "aria-label": "Close" } } }),
    Tooltip: Tooltip.extend({
      defaultProps: { withArrow: true, openDelay: 250, events: { hover: true, focus: true, touch: true } },
    }),
    Notification: Notification.extend({ defaultProps: { closeButtonProps: { "aria-label": "Close" } } }),
    Table: Table.extend({ defaultProps: { verticalSpacing: "xs" } }),
  },
});

/** Mantine's greys for lesser text have too little contrast on white; colours of statuses are in theme.css. */
export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    "--mantine-color-body": "#ffffff",
    "--mantine-color-dimmed": "#57626d",
    "--mantine-color-placeholder": "#6b7681",
    "--mantine-color-text": "#16202a",
    "--mantine-color-error": "#b3261e",
  },
  dark: {
    "--mantine-color-dimmed": "#97a3ae",
    "--mantine-color-placeholder": "#929ea9",
    "--mantine-color-error": "#ff8a80",
  },
});
