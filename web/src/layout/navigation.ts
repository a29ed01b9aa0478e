import {
  type Icon,
  IconApps,
  IconArchive,
  IconCalendarRepeat,
  IconChartBar,
  IconHistory,
  IconHome,
  IconKey,
  IconListDetails,
  IconLock,
  IconPlayerPlay,
  IconServer2,
  IconStack2,
  IconWebhook,
} from "@tabler/icons-react";
import type { LinkProps } from "@tanstack/react-router";

interface Place {
  to: NonNullable<LinkProps["to"]>;
  label: string;
  icon: Icon;
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
      { to: "/archive", label: "Archive", icon: IconArchive },
      { to: "/submit", label: "Submit", icon: IconPlayerPlay },
    ],
  },
  {
    label: "Define",
    places: [
      { to: "/methods", label: "Methods", icon: IconApps },
      { to: "/batches", label: "Batches", icon: IconStack2 },
      { to: "/schedules", label: "Schedules", icon: IconCalendarRepeat },
      { to: "/secrets", label: "Secrets", icon: IconLock },
    ],
  },
  {
    label: "Operate",
    places: [
      { to: "/workers", label: "Workers and pools", icon: IconServer2 },
      { to: "/usage", label: "Usage and quotas", icon: IconChartBar },
      { to: "/webhooks", label: "Webhooks", icon: IconWebhook },
      { to: "/tokens", label: "Tokens", icon: IconKey },
      { to: "/audit", label: "Audit log", icon: IconHistory },
    ],
  },
];
