import { TextLink } from "../ui/IdLink";
import { pageOf } from "./spelling";

/** What something was done to, with the way to it where it has a page. */
export function ObjectLink({ object }: { object: string | null }) {
  if (!object) return <span>–</span>;
  const page = pageOf(object);
  if (!page) return <span title={object}>{object}</span>;
  return (
    <TextLink {...page} title={object} fz="sm">
      {object}
    </TextLink>
  );
}
