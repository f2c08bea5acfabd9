import { deepEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { noWish } from "./attachment.ts";
import type { NetworkService } from "./network-service.ts";
import { planAttachments } from "./plan-attachments.ts";

/** Networks that nobody has made yet may be asked for. */
const networks = { find: () => undefined } as unknown as NetworkService;
const [one, other] = ["02:42:ac:11:00:08", "02:42:ac:11:00:09"];
const plan = (macAddress: string, endpoints: Readonly<Record<string, string>>) =>
  planAttachments(networks, {
    networkMode: "main",
    macAddress,
    endpoints: Object.fromEntries(
      Object.entries(endpoints).map(([name, own]) => [name, { ...noWish, macAddress: own }]),
    ),
  }).map(({ network, wish }) => [network, wish.macAddress]);

test("the container's MAC address is that of its main network, where that has no other", () => {
  deepEqual(plan(one, { side: other }), [
    ["main", one],
    ["side", other],
  ]);
  deepEqual(plan(one, { main: one }), [["main", one]]);
  deepEqual(plan("", { main: other }), [["main", other]]);
  throws(() => plan(one, { main: other }), {
    kind: "invalid-argument",
    message:
      "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
  });
});
