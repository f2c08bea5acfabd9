import { deepEqual, equal, throws } from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { Fault } from "@hawser/base";
import { openTempDir } from "@hawser/base/testing";
import { ContainerTable } from "../state/container-table.ts";
import { ContainerIndex } from "./container-index.ts";
import { makeContainerRecord } from "./testing/container-record.ts";

const web = makeContainerRecord({ id: `ab12${"0".repeat(60)}`, name: "web", createdAtMs: 1 });
const db = makeContainerRecord({ id: `ab34${"0".repeat(60)}`, name: "db", createdAtMs: 2 });

test("resolve() takes ids, names with and without slash, and prefixes that fit one container", async () => {
  await using dir = await openTempDir();
  using table = new ContainerTable(join(dir.path, "hawser.db"));
  const index = new ContainerIndex(table);
  index.add(web);
  index.add(db);
  for (const text of [web.id, "web", "/web", "ab1"]) equal(index.resolve(text).id, web.id, text);
  throws(() => index.resolve("ab"), {
    kind: "invalid-argument",
    message: "Multiple IDs found with provided prefix: ab",
  });
  throws(() => index.resolve("nope"), { kind: "not-found", message: "No such container: nope" });
  throws(() => index.resolve(""), { kind: "not-found" });
});

test("a name is taken by one container, also after a rename, and free again after removal", async () => {
  await using dir = await openTempDir();
  using table = new ContainerTable(join(dir.path, "hawser.db"));
  const index = new ContainerIndex(table);
  const container = index.add(web);
  throws(
    () => index.add({ ...db, name: "web" }),
    (error) => Fault.is(error, "conflict") && error.message.includes(`in use by container "${web.id}"`),
  );
  index.update(container, { name: "front" });
  equal(index.find("web"), undefined);
  index.add({ ...db, name: "web" });
  index.remove(container);
  equal(index.find("front"), undefined);
});

test("what the index holds is what the next one finds", async () => {
  await using dir = await openTempDir();
  const path = join(dir.path, "hawser.db");
  {
    using table = new ContainerTable(path);
    const index = new ContainerIndex(table);
    const container = index.add(web);
    index.add(db);
    index.update(container, { state: { ...web.state, status: "running", pid: 7 } }, { durable: false });
  }
  using table = new ContainerTable(path);
  deepEqual(
    new ContainerIndex(table).list().map(({ record }) => record),
    [db, { ...web, state: { ...web.state, status: "running", pid: 7 } }],
  );
});

test("what is put off is written by the end of the turn, unless the container is gone by then", async () => {
  await using dir = await openTempDir();
  using table = new ContainerTable(join(dir.path, "hawser.db"));
  const index = new ContainerIndex(table);
  const [stays, goes] = [index.add(web), index.add(db)];
  for (const container of [stays, goes]) {
    index.update(container, { restartCount: 3 }, { later: true });
  }
  index.remove(goes);
  await new Promise((resolve) => setImmediate(resolve));
  deepEqual(table.list(), [{ ...web, restartCount: 3 }]);
});
