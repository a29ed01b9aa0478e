import { getRouteApi } from "@tanstack/react-router";
import { ListPage } from "./ListPage";

const route = getRouteApi("/shell/executions");

export function ExecutionsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <ListPage
      shelf="live"
      title="Executions"
      search={search}
      onSearch={(wanted, replace) => void navigate({ search: wanted, replace })}
    />
  );
}
