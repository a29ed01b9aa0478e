import type { Column } from "../ui/DataTable";
import { RelativeTime } from "../ui/RelativeTime";
import type { Secret } from "./queries";
import { type Acts, SecretActs } from "./SecretActs";

/** The columns of the list; null where nothing may be changed. */
export function columnsOf(acts: Acts | null): Column<Secret>[] {
  const columns: Column<Secret>[] = [
    { id: "name", title: "Name", width: 300, cell: ({ name }) => <code title={name}>{name}</code> },
    {
      id: "changed",
      title: "Value from",
      width: 150,
      cell: ({ changed_at }) => <RelativeTime at={changed_at} />,
    },
    { id: "made", title: "Made", width: 150, cell: ({ created_at }) => <RelativeTime at={created_at} /> },
    { id: "used", title: "Last used", width: 150, cell: (secret) => <LastUse secret={secret} /> },
  ];
  if (!acts) return columns;
  return [
    ...columns,
    {
      id: "acts",
      title: "",
      width: 92,
      align: "right",
      cell: (secret) => <SecretActs secret={secret} acts={acts} />,
    },
  ];
}

/** When something was submitted with it. */
export function LastUse({ secret: { used_at } }: { secret: Secret }) {
  return used_at ? <RelativeTime at={used_at} /> : <span>never</span>;
}
