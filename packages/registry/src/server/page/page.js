// Browse a registry: repositories, tags, manifests, by the same requests as any client's. Whatever a registry says is shown as text.

const accept = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");
const pageSize = 100;
const largestConfig = 4 << 20;

/** Of whoever has logged in; gone with the page. */
let authorization;
/** Only the last view that was asked for is shown. */
let turn = 0;

const byId = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const code = (text) => element("code", {}, String(text));
const link = (text, hash) => element("a", { href: hash }, text);
const number = (text) => element("td", { className: "number" }, text);
const cell = (...children) => element("td", {}, ...children);
const repositoryHash = (name) => `#/${name}`;
const manifestHash = (name, reference) => `#/${name}@${reference}`;

function table(headers, rows) {
  const head = element("tr", {}, ...headers.map((text) => element("th", { scope: "col" }, text)));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
}

function size(bytes) {
  if (!Number.isFinite(bytes)) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** An answer of the registry, or a refusal in its words. Never the browser's own question for a password. */
async function ask(path, options = {}) {
  const response = await fetch(path, {
    credentials: "omit",
    ...options,
    headers: { ...options.headers, ...(authorization && { Authorization: authorization }) },
  });
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new Refusal(response.status, body.errors?.[0]?.message ?? `the registry answers ${response.status}`);
}

async function showRepositories(view, last = "") {
  const query = new URLSearchParams({ n: pageSize, last });
  const response = await ask(`/v2/_catalog?${query}`);
  const { repositories } = await response.json();
  const rows = repositories.map((name) => element("tr", {}, cell(link(name, repositoryHash(name)))));
  view.append(table(["Repository"], rows));
  if (last === "" && repositories.length === 0) view.append(element("p", {}, "There is nothing here yet."));
  addMore(view, response, () => showRepositories(view, repositories.at(-1)));
}

function addMore(view, response, more) {
  if (!/rel="next"/.test(response.headers.get("link") ?? "")) return;
  const button = element("button", { type: "button" }, "More");
  button.addEventListener("click", () => {
    button.remove();
    more().catch(tell);
  });
  view.append(button);
}

async function showTags(view, name, last = "") {
  const query = new URLSearchParams({ n: pageSize, last });
  const response = await ask(`/v2/${name}/tags/list?${query}`);
  const { tags } = await response.json();
  const rows = tags.map((tag) => {
    const digest = cell();
    ask(`/v2/${name}/manifests/${tag}`, { method: "HEAD", headers: { Accept: accept } }).then(
      ({ headers }) => digest.append(code(headers.get("docker-content-digest") ?? "")),
      () => {},
    );
    return element("tr", {}, cell(link(tag, manifestHash(name, tag))), digest);
  });
  view.append(table(["Tag", "Digest"], rows));
  addMore(view, response, () => showTags(view, name, tags.at(-1)));
}

async function showManifest(view, name, reference) {
  const response = await ask(`/v2/${name}/manifests/${reference}`, { headers: { Accept: accept } });
  const text = await response.text();
  const manifest = JSON.parse(text);
  const digest = response.headers.get("docker-content-digest") ?? reference;
  view.append(
    pairs({
      Digest: code(digest),
      Type: response.headers.get("content-type") ?? "",
      Manifest: size(new Blob([text]).size),
      ...(manifest.artifactType && { Artifact: manifest.artifactType }),
      ...(manifest.subject && { Subject: link(manifest.subject.digest, manifestHash(name, manifest.subject.digest)) }),
    }),
  );
  if (Array.isArray(manifest.manifests)) {
    view.append(element("h2", {}, "Manifests"));
    view.append(table(["Platform", "Digest", "Size"], manifest.manifests.map((item) => manifestRow(name, item))));
  }
  if (Array.isArray(manifest.layers)) await showLayers(view, name, manifest);
  if (manifest.annotations) view.append(element("h2", {}, "Annotations"), pairs(manifest.annotations));
  await showReferrers(view, name, digest);
}

function manifestRow(name, { digest, size: bytes, platform, artifactType, mediaType }) {
  const { os, architecture, variant } = platform ?? {};
  const words = [os, architecture, variant].filter(Boolean).join("/") || artifactType || mediaType || "";
  return element("tr", {}, cell(words), cell(link(digest, manifestHash(name, digest))), number(size(bytes)));
}

async function showLayers(view, name, { layers, config }) {
  const total = layers.reduce((sum, layer) => sum + (layer.size ?? 0), 0);
  view.append(element("h2", {}, `Layers: ${layers.length}, ${size(total)}`));
  const isImage = /image\.config|container\.image/.test(config?.mediaType ?? "") && config.size <= largestConfig;
  const image = isImage
    ? await ask(`/v2/${name}/blobs/${config.digest}`).then((response) => response.json(), () => ({}))
    : {};
  const steps = (image.history ?? []).filter((step) => !step.empty_layer);
  const rows = layers.map((layer, at) =>
    element("tr", {}, cell(code(layer.digest)), number(size(layer.size)), cell(steps[at]?.created_by ?? layer.mediaType ?? "")),
  );
  view.append(table(["Layer", "Size", "Made by"], rows));
  if (!isImage) return;
  const { Entrypoint, Cmd, Env, User, WorkingDir, Labels } = image.config ?? {};
  view.append(
    element("h2", {}, "Configuration"),
    pairs({
      Platform: [image.os, image.architecture, image.variant].filter(Boolean).join("/"),
      Created: image.created,
      Entrypoint: Entrypoint?.join(" "),
      Command: Cmd?.join(" "),
      User,
      "Working folder": WorkingDir,
      Environment: Env?.join("\n"),
    }),
  );
  if (Labels) view.append(element("h2", {}, "Labels"), pairs(Labels));
}

async function showReferrers(view, name, digest) {
  const index = await ask(`/v2/${name}/referrers/${digest}`).then((response) => response.json(), () => ({}));
  if (!index.manifests?.length) return;
  view.append(element("h2", {}, "Referrers"));
  view.append(table(["Type", "Digest", "Size"], index.manifests.map((item) => manifestRow(name, item))));
}

function pairs(values) {
  const shown = Object.entries(values).filter(([, value]) => value !== undefined && value !== "");
  const rows = shown.map(([key, value]) =>
    element("tr", {}, element("th", { scope: "row" }, key), cell(value instanceof Node ? value : String(value))),
  );
  return element("table", {}, element("tbody", {}, ...rows));
}

function tell(error) {
  const wantsLogin = error.status === 401;
  byId("login").hidden = !wantsLogin;
  byId("problem").hidden = wantsLogin && authorization === undefined;
  byId("problem").textContent = error.message;
}

/** What the address says: `#/`, `#/team/app`, `#/team/app@v1`. */
async function show() {
  const own = ++turn;
  const [, name = "", reference = ""] = /^#\/([^@]*)(?:@(.+))?$/.exec(decodeURIComponent(location.hash)) ?? [];
  const view = element("main", { id: "view" });
  byId("path").replaceChildren(...(name === "" ? [] : ["/ ", link(name, repositoryHash(name))]), reference && ` / ${reference}`);
  try {
    if (name === "") await showRepositories(view);
    else if (reference === "") await showTags(view, name);
    else await showManifest(view, name, reference);
    if (own !== turn) return;
    byId("login").hidden = true;
    byId("problem").hidden = true;
  } catch (error) {
    if (own !== turn) return;
    tell(error);
  }
  byId("view").replaceWith(view);
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  const { user, password } = byId("login").elements;
  const bytes = new TextEncoder().encode(`${user.value}:${password.value}`);
  authorization = `Basic ${btoa(String.fromCharCode(...bytes))}`;
  void show();
});
window.addEventListener("hashchange", () => void show());
void show();
