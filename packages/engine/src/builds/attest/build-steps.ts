import { type LocalOp, type Op, type Vertex, verticesBelow } from "@hawser/build";

/** A step of a build as provenance tells it: an op of LLB, and the results that it works on. */
export interface BuildStep {
  readonly id: string;
  readonly op: object;
  readonly inputs?: readonly string[];
}

export interface BuildSteps {
  readonly steps: readonly BuildStep[];
  /** Their ids by the digests of what they are of. */
  readonly ids: ReadonlyMap<string, string>;
}

/** A plan as BuildKit tells it, in LLB's words (its `solver/pb/ops.proto`); the last step is the result. */
export function buildStepsOf(root: Vertex | undefined): BuildSteps {
  const vertices = verticesBelow([root]);
  const ids = new Map(vertices.map(({ digest }, at) => [digest, `step${at}`]));
  const steps = vertices.map((vertex, at): BuildStep => {
    const inputs = vertex.inputs.flatMap((input) =>
      input === undefined ? [] : [`${ids.get(input.digest) ?? ""}:0`],
    );
    return { id: `step${at}`, op: { Op: opOf(vertex.op) }, ...(inputs.length > 0 && { inputs }) };
  });
  if (root === undefined) return { steps, ids };
  const end = { id: `step${steps.length}`, op: { Op: null }, inputs: [`${ids.get(root.digest) ?? ""}:0`] };
  return { steps: [...steps, end], ids };
}

/** Proxies and what secrets hold are in none. */
function opOf(op: Op): object {
  switch (op.kind) {
    case "image":
      return { source: { identifier: `docker-image://${op.reference}` } };
    case "local":
      return localOf(op);
    case "git": {
      const attrs = op.keepsGitDir ? { "git.keepgitdir": "true" } : undefined;
      return { source: { identifier: `git://${op.reference}`, ...(attrs && { attrs }) } };
    }
    case "http": {
      const attrs = op.checksum === undefined ? undefined : { "http.checksum": op.checksum };
      return { source: { identifier: op.url, ...(attrs && { attrs }) } };
    }
    case "exec": {
      const { args, env, workingDir: cwd, user, network, privileged } = op;
      return {
        exec: {
          meta: { args, env, cwd, ...(user !== "" && { user }) },
          mounts: [{ input: 0, dest: "/", output: 0 }, ...op.mounts.map(mountOf)],
          ...(network !== "default" && { network: network === "host" ? 1 : 2 }),
          ...(privileged && { security: 1 }),
        },
      };
    }
    case "copy": {
      const actions = op.sources.map((source) =>
        source.kind === "path"
          ? { copy: { src: source.path, dest: op.target } }
          : { mkfile: { path: op.target, data: Buffer.from(source.content).toString("base64") } },
      );
      return fileOp(actions);
    }
    case "make-folder":
      return fileOp([{ mkdir: { path: op.path, makeParents: true } }]);
    case "file":
      return fileOp(op.actions.map(({ kind, ...action }) => ({ [kind]: action })));
    case "merge":
      return { merge: {} };
    case "diff":
      return { diff: {} };
    case "build":
      return { build: { attrs: { "llbbuild.filename": op.path } } };
    case "output":
      return { output: { index: op.index } };
  }
}

function localOf({ name, include, exclude, follow }: LocalOp): object {
  const lists = {
    "local.includepattern": include,
    "local.excludepatterns": exclude,
    "local.followpaths": follow,
  };
  const attrs = Object.entries(lists).flatMap(([key, list]) =>
    list === undefined ? [] : [[key, JSON.stringify(list)]],
  );
  const identifier = `local://${name}`;
  return { source: { identifier, ...(attrs.length > 0 && { attrs: Object.fromEntries(attrs) }) } };
}

function fileOp(actions: readonly object[]): object {
  return { file: { actions: actions.map((action) => ({ Action: action })) } };
}

function mountOf(mount: (Op & { readonly kind: "exec" })["mounts"][number]): object {
  switch (mount.kind) {
    case "bind": {
      const { input, target: dest, source: selector, readOnly } = mount;
      return { input, dest, selector, ...(readOnly && { readonly: true }) };
    }
    case "cache":
      return { dest: mount.target, mountType: 3, cacheOpt: { ID: mount.id } };
    case "tmpfs":
      return { dest: mount.target, mountType: 4 };
    case "secret":
      return { dest: mount.target, mountType: 1, secretOpt: { ID: mount.id, optional: !mount.isRequired } };
    case "secret-variable":
      return { mountType: 1, secretOpt: { ID: mount.id, optional: !mount.isRequired } };
    case "ssh":
      return { dest: mount.target, mountType: 2, sshOpt: { ID: mount.id, optional: !mount.isRequired } };
    case "text":
      return { dest: mount.target, mountType: 0, data: Buffer.from(mount.content).toString("base64") };
  }
}
