import { listChanges } from "@hawser/store";
import {
  type ArchiveRequest,
  exportContainer,
  readContainerArchive,
  statContainerFile,
  writeContainerArchive,
} from "../../containers/archive.ts";
import type { Collaborators } from "../../containers/collaborators.ts";
import { enginesOwnFiles } from "../../containers/files-root.ts";
import { httpFaults } from "../faults.ts";
import type { ApiRequest } from "../request.ts";
import { sendAll } from "../response.ts";
import type { Route } from "../router.ts";
import { formatPathStat } from "../wire/file-stat.ts";

const statHeader = "X-Docker-Container-Path-Stat";
const changeKinds = { modified: 0, added: 1, deleted: 2 } as const;

/** A container's files: `docker cp`, `export` and `diff`. */
export function containerFileRoutes(collaborators: Collaborators): Route[] {
  const read = (request: ApiRequest): ArchiveRequest => {
    const path = request.query.text("path") ?? "";
    if (path === "") throw httpFaults.PATH_EMPTY();
    if (path.includes("\0")) throw httpFaults.REQUEST_MALFORMED("NUL in path");
    const name = request.param("id");
    return { container: collaborators.index.resolve(name), name, path, signal: request.signal };
  };
  return [
    {
      method: "HEAD",
      path: "/containers/{id}/archive",
      async handler(request, response) {
        const stat = await statContainerFile(collaborators, read(request));
        response.setHeader(statHeader, formatPathStat(stat));
        response.sendEmpty(200);
      },
    },
    {
      method: "GET",
      path: "/containers/{id}/archive",
      async handler(request, response) {
        await readContainerArchive(collaborators, read(request), async (stat, archive) => {
          response.setHeader(statHeader, formatPathStat(stat));
          await sendAll(response.openStream(200, { contentType: "application/x-tar" }), archive);
        });
      },
    },
    {
      method: "PUT",
      path: "/containers/{id}/archive",
      async handler(request, response) {
        const { query } = request;
        await writeContainerArchive(collaborators, read(request), {
          archive: request.body,
          keepKinds: query.flag("noOverwriteDirNonDir"),
          toUser: query.flag("copyUIDGID"),
        });
        response.sendEmpty(200);
      },
    },
    {
      method: "GET",
      path: "/containers/{id}/export",
      async handler(request, response) {
        const container = collaborators.index.resolve(request.param("id"));
        await exportContainer(collaborators, { container, signal: request.signal }, async (archive) => {
          await sendAll(response.openStream(200, { contentType: "application/octet-stream" }), archive);
        });
      },
    },
    {
      method: "GET",
      path: "/containers/{id}/changes",
      async handler(request, response) {
        const { id } = collaborators.index.resolve(request.param("id"));
        const { upper, lower } = collaborators.snapshots.get(id);
        const options = { leaveOut: enginesOwnFiles, signal: request.signal };
        const changes = await listChanges({ upper, lower }, options);
        const told = changes.map(({ path, kind }) => ({ Path: path, Kind: changeKinds[kind] }));
        response.sendJson(200, told.length === 0 ? null : told);
      },
    },
  ];
}
