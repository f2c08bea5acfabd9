import { parseIgnoreFile, writeTar } from "@hawser/base";
import {
  type BuildContextOfClient,
  type DockerfileOptions,
  type FaultySource,
  listFolder,
} from "@hawser/build/grpc";
import type { BuildContext } from "../build-context.ts";
import { type BuildService, maxDockerfileBytes } from "../build-service.ts";
import type { BuildSources } from "../build-sources.ts";
import { buildFaults } from "../faults.ts";
import { type LocalFolder, listLocalFolder } from "../local-folder.ts";
import type { BuildFiles } from "../op-scope.ts";
import type { GivenFiles, GivenFolder } from "./given-files.ts";
import { receiveTexts } from "./session-answers.ts";
import { titleOf } from "./step-traits.ts";

type FolderPart = Parameters<BuildFiles["folder"]>[0];

/** A Dockerfile's text, and of which step of the progress it came. */
export type ReadSource = FaultySource & { readonly digest: string };

/**
 * The files of a build whose client serves them, or has named or sent them with its request: each folder comes once, when it
 * is first wanted. Disposal gives them back.
 */
export class SessionFolders implements AsyncDisposable {
  readonly #builds: BuildService;
  readonly #context: BuildContextOfClient;
  readonly #given: GivenFiles | undefined;
  /** Told of what is not with the client. */
  readonly remote: BuildSources;
  readonly #folders = new Map<string, Promise<BuildContext>>();
  readonly #ignored = new Map<string, readonly string[]>();
  readonly #sources = new Map<string, Promise<ReadSource>>();
  readonly #used = new AsyncDisposableStack();
  /** All folders are one, which did not come through the session. */
  #isWhole: boolean;

  constructor(
    builds: BuildService,
    {
      context,
      given,
      sources,
    }: {
      readonly context: BuildContextOfClient;
      readonly given: GivenFiles | undefined;
      readonly sources: BuildSources;
    },
  ) {
    this.remote = sources;
    this.#builds = builds;
    this.#context = context;
    this.#given = given;
    this.#isWhole = context.archive !== undefined;
  }

  /** The folder that all of it is, if it is one. */
  async whole(): Promise<BuildContext | undefined> {
    return this.#isWhole ? await this.folder({ name: "" }) : undefined;
  }

  /** What a context leaves out; `undefined`: nothing says so. */
  ignoredIn(name: string): readonly string[] | undefined {
    return this.#given?.folders["context"]?.ignore ?? this.#ignored.get(name);
  }

  /** The Dockerfile's text, read once; what it and its neighbours leave out of the context is noted. */
  readSource(options: DockerfileOptions): Promise<ReadSource> {
    const { filename, dockerfileName, contextName, contextUrl = "" } = options;
    const key = JSON.stringify([filename, dockerfileName, contextName, contextUrl]);
    const source = this.#sources.get(key) ?? this.#receiveSource(options);
    this.#sources.set(key, source);
    return source;
  }

  async #receiveSource(options: DockerfileOptions): Promise<ReadSource> {
    const { filename, dockerfileName, contextName, isSourceApart } = options;
    const { progress } = this.#context;
    const ignoreName = `${filename}.dockerignore`;
    const title = `[internal] load build definition from ${filename}`;
    const given = this.#given?.source;
    if (given !== undefined) {
      return await progress.step(title, async (step) => {
        const current = Buffer.byteLength(given.text);
        step.status("transferring dockerfile:", { current, isDone: true });
        return { ...given, digest: step.digest };
      });
    }
    const { texts, digest } = await progress.step(title, async (step) => {
      const found = await this.#readTexts(dockerfileName, [filename, ignoreName], { isApart: isSourceApart });
      const bytes = [...found.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
      step.status(`transferring ${dockerfileName}:`, { current: bytes, isDone: true });
      return { texts: found, digest: step.digest };
    });
    const text = texts.get(filename);
    if (text === undefined) throw buildFaults.DOCKERFILE_UNREAD(filename);
    const ignore =
      texts.get(ignoreName) ??
      (await progress.step("[internal] load .dockerignore", async () =>
        (await this.#readTexts(contextName, [".dockerignore"])).get(".dockerignore"),
      ));
    if (ignore !== undefined) this.#ignored.set(contextName, parseIgnoreFile(ignore));
    return { filename, text, digest };
  }

  /** Small files of a folder of the client's. */
  async #readTexts(
    name: string,
    paths: readonly string[],
    { isApart = false }: { readonly isApart?: boolean } = {},
  ): Promise<ReadonlyMap<string, string>> {
    const { session, archive, signal } = this.#context;
    const found = new Map<string, string>();
    if (this.#isWhole && !(isApart && archive === undefined)) {
      const folder = await this.folder({ name });
      for (const path of paths) {
        const text = await folder.readText(path, { maxBytes: maxDockerfileBytes, signal });
        if (text !== undefined) found.set(path, text);
      }
      return found;
    }
    if (session === undefined) throw buildFaults.SESSION_NEEDED();
    return await receiveTexts(session, { name, paths, signal });
  }

  /** The files are not with the client: the folder of any name is what is at the address. */
  beginRemote(address: string, { keepsGitDir }: { readonly keepsGitDir: boolean }): void {
    if (this.#isWhole) return;
    this.#isWhole = true;
    const { progress, signal } = this.#context;
    const upload = /^http:\/\/buildkit-session(\/.*)$/.exec(address)?.[1];
    const title =
      upload === undefined ? `[internal] load remote build context ${address}` : titleOf("context");
    const received = progress.step(title, async () =>
      upload === undefined
        ? this.#used.use(
            await this.#builds.receiveRemote(address, { keepsGitDir, signal, sources: this.remote }),
          )
        : await this.#unpack(this.#uploaded(upload)),
    );
    received.catch(() => {}); // told when it is waited for
    this.#folders.set("", received);
  }

  /** A folder that a source calls by name beside the context: the client's, wherever that is, with its own `.dockerignore`. */
  async named(part: FolderPart): Promise<BuildContext> {
    const { name } = part;
    const { session, archive, signal } = this.#context;
    const isWithClient = archive === undefined && this.#given?.folders[name] === undefined;
    if (session === undefined || !isWithClient) return await this.folder(part);
    const texts = await receiveTexts(session, { name, paths: [".dockerignore"], signal });
    const exclude = parseIgnoreFile(texts.get(".dockerignore") ?? "");
    return await this.folder({ ...part, exclude }, { isApart: true });
  }

  /** A folder of the client's. All that came with the request is one, by whatever name, but for what is `isApart`. */
  folder(
    wanted: FolderPart,
    { isApart = false }: { readonly isApart?: boolean } = {},
  ): Promise<BuildContext> {
    const { archive } = this.#context;
    const { name, include, exclude, follow } = wanted;
    const given = this.#given?.folders[name];
    const isAll = this.#isWhole && given === undefined && !isApart;
    const part = isAll ? "" : JSON.stringify([name, include, exclude, follow]);
    const there = this.#folders.get(part);
    if (there !== undefined) return there;
    const source = this.#given?.source;
    if (source !== undefined && given === undefined && name === "dockerfile") {
      const content = Buffer.from(source.text);
      const alone = this.#unpack(writeTar([{ path: source.filename, type: "file", content }]));
      this.#folders.set(part, alone);
      return alone;
    }
    const receive = () => (archive === undefined ? this.#receiveFolder(wanted) : this.#unpack(archive));
    const folder = given === undefined ? receive() : this.#takeFolder(given, wanted);
    this.#folders.set(part, folder);
    return folder;
  }

  async #unpack(archive: AsyncIterable<Uint8Array>): Promise<BuildContext> {
    return this.#used.use(await this.#builds.receiveFolder(archive, this.#context.signal));
  }

  /** A folder that came with the request. */
  async #takeFolder(given: GivenFolder, { name, follow }: FolderPart): Promise<BuildContext> {
    const { progress } = this.#context;
    const { path, device = "", inode = "", ignore = [], upload } = given;
    return await progress.step(titleOf(name), async (step) => {
      if (path === undefined && upload === undefined) return await this.#unpack(writeTar([]));
      let current = 0;
      const id = `transferring ${name}:`;
      const onBytes = (bytes: number) => {
        current += bytes;
        step.status(id, { current });
      };
      const received =
        path === undefined
          ? await this.#unpack(counted(this.#uploaded(upload ?? ""), onBytes))
          : await this.#readLocal({ path, device, inode, ignore }, { follow, onBytes });
      step.status(id, { current, isDone: true });
      return received;
    });
  }

  async #readLocal(
    folder: LocalFolder,
    options: Pick<Parameters<typeof listLocalFolder>[1], "follow" | "onBytes">,
  ): Promise<BuildContext> {
    const { signal } = this.#context;
    await using listed = await listLocalFolder(folder, { ...options, signal });
    const place = JSON.stringify([folder, options.follow]);
    return this.#used.use(await this.#builds.contexts.receive(listed, { place, signal })).context;
  }

  /** An archive that the client's session sends. */
  #uploaded(path: string): AsyncIterable<Uint8Array> {
    const { session, signal } = this.#context;
    if (session === undefined) throw buildFaults.SESSION_NEEDED();
    return session.upload(path, signal);
  }

  async #receiveFolder({ name, ...part }: FolderPart): Promise<BuildContext> {
    const { session, signal, progress } = this.#context;
    if (session === undefined) throw buildFaults.SESSION_NEEDED();
    return await progress.step(titleOf(name), async (step) => {
      const wanted = { ...part, exclude: part.exclude ?? this.#ignored.get(name) ?? [] };
      const id = `transferring ${name}:`;
      let current = 0;
      const onProgress = (bytes: number) => {
        current = bytes;
        step.status(id, { current });
      };
      using folder = await listFolder(session, { name, ...wanted, signal, onProgress });
      const { sharedKey } = session;
      const place = sharedKey === "" ? undefined : JSON.stringify([sharedKey, name, wanted]);
      const received = await this.#builds.contexts.receive(folder, { place, signal });
      this.#used.use(received);
      step.status(id, { current, isDone: true });
      return received.context;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#folders.values());
    await this.#used.disposeAsync();
  }
}

async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes) {
    onBytes(chunk.length);
    yield chunk;
  }
}
