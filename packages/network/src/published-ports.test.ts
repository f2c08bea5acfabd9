import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "@hawser/base";
import { elementCommands, type RuleElement, tableRules } from "./firewall-rules.ts";
import { PublishedPorts } from "./published-ports.ts";

/** The elements that are there, as a firewall would have them. */
function recordElements() {
  const elements = new Map<string, RuleElement>();
  const keyOf = ({ set, key }: RuleElement) => `${set} ${key}`;
  return {
    elements,
    async add(added: readonly RuleElement[]) {
      for (const element of added) elements.set(keyOf(element), element);
    },
    async delete(gone: readonly RuleElement[]) {
      for (const element of gone) elements.delete(keyOf(element));
    },
  };
}

test("a port of any protocol is an element of the map of its family, or of that with addresses", async () => {
  const firewall = recordElements();
  await using ports = new PublishedPorts({ firewall, log: silentLogger });
  const port = (hostIp: string, hostPort: number) =>
    ({ protocol: "sctp", containerPort: 3868, hostIp, hostPort }) as const;
  const target = { ipv4: "10.71.0.2", ipv6: "fd00::2" };
  await ports.restore("c", [port("0.0.0.0", 9000), port("::", 9000), port("192.0.2.1", 9001)], target);
  assert.deepEqual(
    [...elementCommands("add", "t", firewall.elements.values())],
    [
      "add element inet t published4 { sctp . 9000 : 10.71.0.2 . 3868 }\n",
      "add element inet t published6 { sctp . 9000 : fd00::2 . 3868 }\n",
      "add element inet t published4_at { 192.0.2.1 . sctp . 9001 : 10.71.0.2 . 3868 }\n",
    ],
  );
  await ports.release("c");
  assert.equal(firewall.elements.size, 0);
});

test("the rules translate what has ports: TCP, UDP and SCTP", () => {
  const lines = tableRules("t", []).split("\n");
  const translating = lines.filter((line) => / dnat ip6? to /.test(line));
  assert.equal(translating.length, 4);
  for (const line of translating) assert.match(line, /^\t\tmeta l4proto \{ tcp, udp, sctp \} dnat /);
});
