import {
  type Icon,
  IconApps,
  IconArchive,
  IconBell,
  IconCalendarRepeat,
  IconChartBar,
  IconFiles,
  IconHistory,
  IconHome,
  IconHourglass,
  IconKey,
  IconListDetails,
  IconLock,
  IconPlayerPlay,
  IconServer2,
  IconStack2,
  IconWebhook,
} from "@tabler/icons-react";
import type { LinkProps } from "@tanstack/react-router";
import type { Scope } from "../api/types";

interface Place {
  to: NonNullable<LinkProps["to"]>;
  label: string;
  icon: Icon;
  /** Without that there is nothing to be seen there; left out: for everybody. */
  scope?: Scope;
}

interface Region {
  label: string;
  places: Place[];
}

/** Where one can go, in the order of the navigation. */
export const REGIONS: Region[] = [
  {
    label: "Run",
    places: [
      { to: "/", label: "Home", icon: IconHome },
      { to: "/executions", label: "Executions", icon: IconListDetails },
      { to: "/batches", label: "Batches", icon: IconStack2 },
      { to: "/archive", label: "Archive", icon: IconArchive },
      { to: "/submit", label: "Submit", icon: IconPlayerPlay },
    ],
  },
  {
    label: "Define",
    places: [
      { to: "/methods", label: "Methods", icon: IconApps },
      { to: "/schedules", label: "Schedules", icon: IconCalendarRepeat },
      { to: "/files", label: "Files", icon: IconFiles },
      { to: "/secrets", label: "Secrets", icon: IconLock },
    ],
  },
  {
    label: "Tell",
    places: [
      { to: "/notifications", label: "Notifications", icon: IconBell },
      { to: "/webhooks", label: "Webhooks", icon: IconWebhook },
    ],
  },
  {
    label: "Operate",
    places: [
      { to: "/workers", label: "Workers and pools", icon: IconServer2 },
      { to: "/usage", label: "Usage and quotas", icon: IconChartBar },
      { to: "/tokens", label: "Tokens", icon: IconKey },
      { to: "/audit", label: "Audit log", icon: IconHistory },
      { to: "/retention", label: "Retention", icon: IconHourglass, scope: "admin" },
    ],
  },
];
