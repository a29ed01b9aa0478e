import { getRouteApi } from "@tanstack/react-router";
import { ListPage } from "./ListPage";

const route = getRouteApi("/shell/archive");

export function ArchivePage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <ListPage
      shelf="archive"
      title="Archive"
      search={search}
      onSearch={(wanted, replace) => void navigate({ search: wanted, replace })}
    />
  );
}
