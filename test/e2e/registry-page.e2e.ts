import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { openTempDir } from "@hawser/base/testing";
import { parseDigest } from "@hawser/oci";
import { parseUsers } from "@hawser/registry/server";
import bcrypt from "bcryptjs";
import { type Browser, chromium, type Page } from "playwright-core";
import { root } from "../../tools/tree.ts";
import {
  digestOf,
  openTestRegistry,
  pushBlob,
  pushImage,
  type TestRegistry,
  types,
} from "../conformance/distribution/kit-registry.ts";
import { startRegistry } from "./kit-registry-program.ts";

/** The page of a registry in Debian's chromium. */
describe("the page of a registry", () => {
  let browser: Browser;
  const resources = new AsyncDisposableStack();
  before(async () => {
    const home = resources.use(await openTempDir("hawser-page-"));
    browser = await chromium.launch({
      executablePath: "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu"],
      env: { ...process.env, HOME: home.path, XDG_CONFIG_HOME: home.path, XDG_CACHE_HOME: home.path },
    });
    resources.defer(() => browser.close());
  });
  after(() => resources.disposeAsync());

  /** A page whose every complaint of the browser fails the test, refusals of the registry left aside. */
  const openPage = async (registry: TestRegistry) => {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !/status of 40[14]/.test(message.text()))
        problems.push(message.text());
    });
    page.on("dialog", (dialog) => {
      problems.push(`a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.goto(registry.url);
    return { page, problems, [Symbol.asyncDispose]: () => page.close() };
  };
  const wordsOf = async (page: Page) => await page.locator("body").innerText();

  test("leads from repositories to tags, manifests, layers and referrers", async () => {
    await using registry = await openTestRegistry();
    const manifest = await pushImage(registry, "team/app", { reference: "v1", layer: "a layer" });
    await pushImage(registry, "other", { reference: "latest", layer: "another" });
    const subject = { mediaType: types.manifest, digest: digestOf(manifest), size: manifest.length };
    await pushImage(registry, "team/app", {
      more: { artifactType: "application/vnd.test.signature", subject },
    });
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: types.index,
      manifests: [{ ...subject, platform: { os: "linux", architecture: "arm64", variant: "v8" } }],
    });
    const headers = { "Content-Type": types.index };
    await registry.ask("PUT", "/v2/team/app/manifests/many", { headers, body: index });

    await using opened = await openPage(registry);
    const { page, problems } = opened;
    await page.getByRole("link", { name: "team/app" }).click();
    await page.getByText(digestOf(manifest)).waitFor();
    await page.getByRole("link", { name: "many" }).click();
    await page.getByRole("cell", { name: "linux/arm64/v8" }).waitFor();
    await page.getByRole("link", { name: digestOf(manifest) }).click();
    await page.getByText(digestOf("a layer")).waitFor();
    await page.getByText("Layers: 1, 7 B").waitFor();
    await page.getByText("application/vnd.test.signature").waitFor();
    await page.goBack();
    await page.getByRole("cell", { name: "linux/arm64/v8" }).waitFor();
    assert.deepEqual(problems, []);
  });

  test("shows what a stranger pushed as text, and runs nothing of it", async () => {
    await using registry = await openTestRegistry();
    const attack = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
    const config = JSON.stringify({
      os: attack,
      config: { Labels: { [attack]: attack }, Cmd: [attack] },
      history: [{ created_by: attack }],
    });
    await pushBlob(registry, "a", config);
    await pushBlob(registry, "a", "layer");
    const describeBlob = (bytes: string, mediaType: string) => ({
      mediaType,
      digest: digestOf(bytes),
      size: bytes.length,
    });
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: describeBlob(config, types.config),
      layers: [describeBlob("layer", types.layer)],
      annotations: { [attack]: attack },
    });
    const headers = { "Content-Type": types.manifest };
    const put = await registry.ask("PUT", "/v2/a/manifests/1", { headers, body: manifest });
    assert.equal(put.status, 201, put.body.toString());
    await using opened = await openPage(registry);
    const { page, problems } = opened;
    await page.getByRole("link", { name: "a", exact: true }).click();
    await page.getByRole("link", { name: "1", exact: true }).click();
    await page.getByRole("heading", { name: "Labels" }).waitFor();
    await page.getByRole("heading", { name: "Annotations" }).waitFor();
    assert.ok((await wordsOf(page)).includes(attack));
    assert.equal(await page.locator("img").count(), 0);
    assert.deepEqual(problems, []);
  });

  test("asks for a login where one is wanted, whichever way clients log in", async () => {
    const users = parseUsers(`ann:${bcrypt.hashSync("right", 4)}\n`);
    for (const tokens of [undefined, { by: "registry", name: "registry.example" } as const]) {
      await using registry = await openTestRegistry({ access: { users }, ...(tokens && { tokens }) });
      registry.registry?.service.index.linkBlob("team/app", parseDigest(digestOf("x")));
      await using opened = await openPage(registry);
      const { page, problems } = opened;
      await page.getByLabel("User").fill("ann");
      await page.getByLabel("Password").fill("wrong");
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByRole("alert").filter({ hasText: "authentication required" }).waitFor();
      assert.equal(await page.getByRole("link", { name: "team/app" }).count(), 0);
      await page.getByLabel("Password").fill("right");
      await page.getByRole("button", { name: "Log in" }).click();
      await page.getByRole("link", { name: "team/app" }).waitFor();
      assert.equal(await page.getByLabel("User").isVisible(), false);
      assert.deepEqual(problems, []);
    }
  });

  test("lists hundreds page by page, and is not there when it is not wanted", async () => {
    await using registry = await openTestRegistry();
    const { index } = registry.registry?.service ?? {};
    for (let at = 0; at < 150; at++) index?.linkBlob(`many/${at}`, parseDigest(digestOf("x")));
    await using opened = await openPage(registry);
    const { page } = opened;
    const links = page.locator("main a");
    await page.getByRole("button", { name: "More" }).waitFor();
    assert.equal(await links.count(), 100);
    await page.getByRole("button", { name: "More" }).click();
    await page.locator("main table").nth(1).waitFor();
    assert.equal(await links.count(), 150);
    await using without = await openTestRegistry({ page: false });
    assert.equal((await without.ask("GET", "/browse/")).status, 404);
  });

  test("is in the bundle, too", async () => {
    await using dir = await openTempDir("hawser-page-");
    const command = [process.execPath, join(root, "dist/registry/main.js")];
    await using registry = await startRegistry(dir.path, [], command);
    const answer = await fetch(`${registry.url}/browse/`);
    assert.match(await answer.text(), /page\.js/);
  });
});
