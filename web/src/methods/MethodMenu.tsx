import { Menu } from "@mantine/core";
import {
  IconCopy,
  IconDownload,
  IconEdit,
  IconGitBranch,
  IconPlayerPause,
  IconPlayerPlay,
  IconRestore,
  IconTrash,
  IconUpload,
} from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { api, ask } from "../api/client";
import { useMay } from "../session/session";
import { ask as confirm } from "../ui/ConfirmButton";
import { MoreMenu } from "../ui/MoreMenu";
import { say, showProblem } from "../ui/notify";
import { askForText } from "./askForText";
import { METHODS, type Method } from "./queries";

interface MethodMenuProps {
  method: Method;
  version: string;
  status: "draft" | "published" | "retired";
  isOwn: boolean;
}

/** What can be done with a method and the version that is shown. */
export function MethodMenu({ method, version, status, isOwn }: MethodMenuProps) {
  const maySubmit = useMay("submit");
  const act = useActs(method, version);
  const mayChange = maySubmit && isOwn;
  const isDraft = status === "draft";
  const file = `/v1/methods/${method.name}/versions/${encodeURIComponent(version)}/export`;
  return (
    <MoreMenu>
      <Menu.Label>Version {version}</Menu.Label>
      {isDraft && (
        <>
          <Menu.Item leftSection={<IconEdit size={16} />} disabled={!mayChange} onClick={act.edit}>
            Edit the draft
          </Menu.Item>
          <Menu.Item leftSection={<IconUpload size={16} />} disabled={!mayChange} onClick={act.publish}>
            Publish
          </Menu.Item>
          <Menu.Item
            color="red"
            leftSection={<IconTrash size={16} />}
            disabled={!mayChange}
            onClick={act.removeDraft}
          >
            Delete the draft
          </Menu.Item>
        </>
      )}
      {status === "published" && (
        <Menu.Item leftSection={<IconPlayerPause size={16} />} disabled={!mayChange} onClick={act.retire}>
          Retire this version
        </Menu.Item>
      )}
      {status === "retired" && (
        <Menu.Item leftSection={<IconRestore size={16} />} disabled={!mayChange} onClick={act.restore}>
          Take this version back
        </Menu.Item>
      )}
      <Menu.Item leftSection={<IconDownload size={16} />} component="a" href={`${file}?format=yaml`} download>
        Export as YAML
      </Menu.Item>
      <Menu.Item leftSection={<IconDownload size={16} />} component="a" href={`${file}?format=json`} download>
        Export as JSON
      </Menu.Item>
      <Menu.Divider />
      <Menu.Label>Method</Menu.Label>
      <Menu.Item leftSection={<IconGitBranch size={16} />} disabled={!mayChange} onClick={act.derive}>
        New version from this
      </Menu.Item>
      <Menu.Item leftSection={<IconCopy size={16} />} disabled={!maySubmit} onClick={act.clone}>
        Clone as your own
      </Menu.Item>
      {method.disabled ? (
        <Menu.Item leftSection={<IconPlayerPlay size={16} />} disabled={!mayChange} onClick={act.enable}>
          Enable
        </Menu.Item>
      ) : (
        <Menu.Item leftSection={<IconPlayerPause size={16} />} disabled={!mayChange} onClick={act.disable}>
          Disable
        </Menu.Item>
      )}
    </MoreMenu>
  );
}

function useActs(method: Method, version: string) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const { name } = method;
  const path = { name, version };
  const refresh = () => client.invalidateQueries({ queryKey: METHODS });
  const show = (next: string, of = name) =>
    navigate({ to: "/methods/$name", params: { name: of }, search: { version: next } });
  const then = (call: Promise<unknown>, said: string) => {
    void call
      .then(refresh)
      .then(() => say(said))
      .catch(showProblem);
  };
  const change = (verb: "publish" | "retire" | "restore", said: string) => () =>
    then(ask(api.POST(`/v1/methods/{name}/versions/{version}/${verb}`, { params: { path } })), said);

  return {
    edit: () => void navigate({ to: "/method-editor", search: { name, version } }),
    publish: () =>
      confirm({
        question: `Publish ${version}?`,
        consequence: "From then on it never changes, and can be submitted.",
        confirm: "Publish",
        onConfirm: async () => {
          await ask(api.POST("/v1/methods/{name}/versions/{version}/publish", { params: { path } }));
          await refresh();
          say(`Version ${version} is published.`);
        },
      }),
    retire: change("retire", `Version ${version} is not submitted any more.`),
    restore: change("restore", `Version ${version} is back.`),
    removeDraft: () =>
      confirm({
        question: `Delete the draft ${version}?`,
        confirm: "Delete",
        onConfirm: async () => {
          await api.DELETE("/v1/methods/{name}/versions/{version}", { params: { path } });
          await refresh();
          await navigate({ to: "/methods" });
        },
      }),
    derive: () =>
      askForText({
        title: "New version",
        label: "Version",
        initial: version,
        confirm: "Make a draft",
        onConfirm: async (next) => {
          const body = { version: next, from: version, changes: {} };
          await ask(api.POST("/v1/methods/{name}/versions", { params: { path: { name } }, body }));
          await refresh();
          await navigate({ to: "/method-editor", search: { name, version: next } });
        },
      }),
    clone: () =>
      askForText({
        title: `Clone ${name}`,
        label: "Name of the new method",
        initial: `my-${name}`,
        confirm: "Clone",
        onConfirm: async (next) => {
          const body = { name: next, from: version, changes: {} };
          const made = await ask(api.POST("/v1/methods/{name}/clone", { params: { path: { name } }, body }));
          await refresh();
          await show(made.version, made.method);
        },
      }),
    enable: () =>
      then(ask(api.POST("/v1/methods/{name}/enable", { params: { path: { name } } })), "It is enabled."),
    disable: () =>
      askForText({
        title: `Disable ${name}`,
        label: "Why, for whoever submits it",
        initial: "",
        confirm: "Disable",
        onConfirm: async (reason) => {
          await ask(api.POST("/v1/methods/{name}/disable", { params: { path: { name } }, body: { reason } }));
          await refresh();
        },
      }),
  };
}
