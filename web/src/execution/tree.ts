/** Paths of outputs as a tree of directories. Pure. */
import type { Schemas } from "../api/types";

export type Output = Schemas["OutputView"];

export interface FileNode {
  kind: "file";
  name: string;
  path: string;
  bytes: number;
  output: Output;
}

export interface DirectoryNode {
  kind: "directory";
  name: string;
  /** With a slash at its end. */
  path: string;
  bytes: number;
  files: number;
  children: TreeNode[];
}

export type TreeNode = FileNode | DirectoryNode;

/** Directories first, each by name. */
export function treeOf(outputs: readonly Output[]): DirectoryNode {
  const root = directory("", "");
  const known = new Map<string, DirectoryNode>([["", root]]);
  for (const output of outputs) {
    const cut = output.path.lastIndexOf("/") + 1;
    const parent = ensure(output.path.slice(0, cut), known);
    parent.children.push({
      kind: "file",
      name: output.path.slice(cut),
      path: output.path,
      bytes: output.bytes,
      output,
    });
  }
  sum(root);
  return root;
}

function directory(path: string, name: string): DirectoryNode {
  return { kind: "directory", name, path, bytes: 0, files: 0, children: [] };
}

function ensure(path: string, known: Map<string, DirectoryNode>): DirectoryNode {
  const found = known.get(path);
  if (found) return found;
  const cut = path.slice(0, -1).lastIndexOf("/") + 1;
  const made = directory(path, path.slice(cut, -1));
  ensure(path.slice(0, cut), known).children.push(made);
  known.set(path, made);
  return made;
}

function sum(node: DirectoryNode): void {
  for (const child of node.children) {
    if (child.kind === "directory") sum(child);
    node.bytes += child.bytes;
    node.files += child.kind === "directory" ? child.files : 1;
  }
  node.children.sort(
    (one, other) =>
      Number(one.kind === "file") - Number(other.kind === "file") ||
      one.name.localeCompare(other.name, undefined, { numeric: true }),
  );
}

export interface Row {
  node: TreeNode;
  depth: number;
}

/** What is seen of it, from top to bottom, when these directories are closed. */
export function rowsOf(root: DirectoryNode, closed: ReadonlySet<string>, depth = 0): Row[] {
  return root.children.flatMap((node) => {
    const row = { node, depth };
    if (node.kind === "file" || closed.has(node.path)) return [row];
    return [row, ...rowsOf(node, closed, depth + 1)];
  });
}

/** The paths of all files below, its own if it is one. */
export function filesOf(node: TreeNode): string[] {
  return node.kind === "file" ? [node.path] : node.children.flatMap(filesOf);
}

/** Whether all, some or none of a node's files are chosen. */
export function chosenOf(node: TreeNode, chosen: ReadonlySet<string>): "all" | "some" | "none" {
  const files = filesOf(node);
  const count = files.filter((path) => chosen.has(path)).length;
  if (count === 0) return "none";
  return count === files.length ? "all" : "some";
}

/** With all files of a node, or without them if all were there. */
export function toggled(chosen: ReadonlySet<string>, node: TreeNode): Set<string> {
  const after = new Set(chosen);
  const without = chosenOf(node, chosen) === "all";
  for (const path of filesOf(node)) {
    if (without) after.delete(path);
    else after.add(path);
  }
  return after;
}

const MOST_PATHS = 500;

/** What is chosen as few paths as can be: a directory of which all is chosen instead of its files. */
export function selection(node: DirectoryNode, chosen: ReadonlySet<string>): string[] {
  if (chosen.size === 0) return [];
  return node.children.flatMap((child) => {
    const state = chosenOf(child, chosen);
    if (state === "none") return [];
    return child.kind === "file" || state === "all" ? [child.path] : selection(child, chosen);
  });
}

/** Why these cannot be had as one zip; null if they can. */
export function whyNoZip(paths: readonly string[]): string | null {
  return paths.length > MOST_PATHS ? "These are too many at once: choose whole directories, or all." : null;
}

/** Where the zip of these is, of all if there are none. */
export function zipAddress(id: string, paths: readonly string[]): string {
  const query = new URLSearchParams(paths.map((path) => ["path", path]));
  const wanted = String(query);
  return `/v1/executions/${id}/outputs.zip${wanted && `?${wanted}`}`;
}
