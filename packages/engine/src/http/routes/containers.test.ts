import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "@hawser/base/testing";
import { discardContainer } from "../../containers/remove.ts";
import { openContainerApi } from "../testing/container-api.ts";
import { openRawClient } from "../testing/raw-client.ts";

describe("a wait for the removal", () => {
  /** What a client is told of a removal that fails. */
  async function waitForFailure(version: string): Promise<string> {
    await using one = await openContainerApi({ state: { status: "exited", exitCode: 3 } });
    one.collaborators.index.remove = () => {
      throw new Error("database or disk is full");
    };
    using client = openRawClient(one.api.path);
    client.socket.write(`POST /v${version}/containers/web/wait?condition=removed HTTP/1.0\r\n\r\n`);
    await client.until(/\r\n\r\n$/);
    await assert.rejects(discardContainer(one.collaborators, one.container, { volumes: false }), /is full/);
    const answer = await client.untilEnd();
    return answer.slice(answer.indexOf("\r\n\r\n") + 4);
  }

  test("that fails is over, and says why", async () => {
    assert.deepEqual(JSON.parse(await waitForFailure("1.34")), {
      StatusCode: 3,
      Error: { Message: "database or disk is full" },
    });
  });

  test("that fails tells nothing to clients before 1.34, who take that for a failure", async () => {
    assert.equal(await waitForFailure("1.33"), "");
  });

  test("is the next attempt's, after one that failed", async () => {
    await using one = await openContainerApi({ state: { status: "exited", exitCode: 3 } });
    one.container.failRemoval("no");
    const told = one.api.ask("POST", "/containers/web/wait?condition=removed");
    await eventually(async () => (await one.api.ask("POST", "/containers/web/wait")).status === 200);
    one.container.removed.resolve({ exitCode: 3 });
    assert.equal((await told).text, '{"StatusCode":3}\n');
  });
});
