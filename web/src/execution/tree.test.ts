import { describe, expect, it } from "vitest";
import {
  chosenOf,
  type DirectoryNode,
  type Output,
  rowsOf,
  selection,
  toggled,
  treeOf,
  zipAddress,
} from "./tree";

function output(path: string, bytes = 1): Output {
  return {
    path,
    bytes,
    sha256: "",
    media_type: "text/plain",
    declared: null,
    links: { self: "", preview: "" },
  };
}

const ROOT = treeOf(["b.txt", "plots/one.png", "plots/deep/x", "a10", "a9"].map((path) => output(path, 10)));

function directory(path: string, root: DirectoryNode = ROOT): DirectoryNode {
  for (const child of root.children)
    if (child.kind === "directory") return child.path === path ? child : directory(path, child);
  throw new Error(path);
}

describe("the tree of outputs", () => {
  it("has directories first, then files as people count", () => {
    expect(rowsOf(ROOT, new Set()).map(({ node, depth }) => `${depth} ${node.path}`)).toEqual([
      "0 plots/",
      "1 plots/deep/",
      "2 plots/deep/x",
      "1 plots/one.png",
      "0 a9",
      "0 a10",
      "0 b.txt",
    ]);
  });

  it("hides what is in a closed directory, and sums it all the same", () => {
    expect(rowsOf(ROOT, new Set(["plots/"])).map(({ node }) => node.path)).toEqual([
      "plots/",
      "a9",
      "a10",
      "b.txt",
    ]);
    expect(directory("plots/")).toMatchObject({ bytes: 20, files: 2 });
  });

  it("chooses all below a directory, and lets it go again", () => {
    const plots = directory("plots/");
    const chosen = toggled(new Set(["a9"]), plots);
    expect([...chosen].sort()).toEqual(["a9", "plots/deep/x", "plots/one.png"]);
    expect(chosenOf(plots, chosen)).toBe("all");
    expect(chosenOf(plots, new Set(["plots/one.png"]))).toBe("some");
    expect([...toggled(chosen, plots)]).toEqual(["a9"]);
  });

  it("asks for whole directories by their name", () => {
    expect(selection(ROOT, new Set(["a9", "plots/deep/x", "plots/one.png"]))).toEqual(["plots/", "a9"]);
    expect(selection(ROOT, new Set(["plots/deep/x"]))).toEqual(["plots/deep/"]);
    expect(selection(ROOT, new Set())).toEqual([]);
  });

  it("has an address for them, whatever they are called", () => {
    expect(zipAddress("1", [])).toBe("/v1/executions/1/outputs.zip");
    expect(zipAddress("1", ["a&b/", "c d"])).toBe("/v1/executions/1/outputs.zip?path=a%26b%2F&path=c+d");
  });
});
