import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, type Packet, TRUNCATED_RESPONSE } from "dns-packet";
import { answerQuery, failureOf } from "./answer.ts";
import type { NameZone } from "./name-zone.ts";

const zone: NameZone = {
  lookup: (name) =>
    ({
      web: ["10.0.0.2", "10.0.0.3", "fd00::2"],
      four: ["10.0.0.4"],
      many: Array.from({ length: 100 }, (_, index) => `10.0.1.${index}`),
    })[name],
  reverse: (address) => ({ "10.0.0.2": "web.net", "fd00::2": "web.net" })[address],
};

function ask(
  question: { readonly name: string; readonly type: string },
  options: {
    readonly first?: number;
    readonly transport?: "udp" | "tcp";
    readonly udpPayloadSize?: number;
  } = {},
) {
  const { udpPayloadSize } = options;
  const query = encode({
    type: "query",
    id: 4711,
    flags: 256,
    questions: [question as NonNullable<Packet["questions"]>[number]],
    ...(udpPayloadSize !== undefined && {
      additionals: [
        {
          type: "OPT",
          name: ".",
          udpPayloadSize,
          flags: 0,
          options: [],
          extendedRcode: 0,
          ednsVersion: 0,
          flag_do: false,
        },
      ],
    }),
  });
  const outcome = answerQuery(query, zone, {
    transport: options.transport ?? "udp",
    random: () => options.first ?? 0,
  });
  return outcome.kind === "answer" ? decode(outcome.message) : outcome.kind;
}

const datas = (response: ReturnType<typeof ask>) =>
  typeof response === "string"
    ? response
    : (response.answers ?? []).map((answer) => "data" in answer && answer.data);

test("names have addresses of both families, in changing order", () => {
  assert.deepEqual(datas(ask({ name: "web", type: "A" })), ["10.0.0.2", "10.0.0.3"]);
  assert.deepEqual(datas(ask({ name: "WEB.", type: "A" }, { first: 1 })), ["10.0.0.3", "10.0.0.2"]);
  assert.deepEqual(datas(ask({ name: "web", type: "AAAA" })), ["fd00::2"]);
  const response = ask({ name: "Web", type: "A" });
  assert.ok(typeof response !== "string");
  assert.deepEqual([response.id, response.questions?.[0]?.name], [4711, "Web"]);
  assert.equal((response as { rcode?: string }).rcode, "NOERROR");
});

test("a name without what is asked for has no records; a stranger's is for others", () => {
  assert.deepEqual(datas(ask({ name: "four", type: "AAAA" })), []);
  assert.deepEqual(datas(ask({ name: "four", type: "MX" })), []);
  assert.equal(ask({ name: "stranger", type: "A" }), "forward");
  assert.equal(ask({ name: "example.org", type: "TXT" }), "forward");
});

test("addresses have names", () => {
  assert.deepEqual(datas(ask({ name: "2.0.0.10.in-addr.arpa", type: "PTR" })), ["web.net"]);
  const reversed = `2${".0".repeat(27)}.0.0.d.f.ip6.arpa`;
  assert.deepEqual(datas(ask({ name: reversed, type: "PTR" })), ["web.net"]);
  assert.equal(ask({ name: "9.9.9.9.in-addr.arpa", type: "PTR" }), "forward");
});

test("a datagram that is too small is marked, one that is large enough and TCP are not", () => {
  const count = (options: Parameters<typeof ask>[1]) => {
    const response = ask({ name: "many", type: "A" }, options);
    assert.ok(typeof response !== "string");
    return [response.answers?.length ?? 0, ((response.flags ?? 0) & TRUNCATED_RESPONSE) !== 0] as const;
  };
  const [plain, isCut] = count({});
  assert.ok(plain > 10 && plain < 40 && isCut);
  assert.deepEqual(count({ udpPayloadSize: 4096 }), [100, false]);
  assert.deepEqual(count({ transport: "tcp" }), [100, false]);
});

test("what is no question is dropped", () => {
  const query = encode({ type: "query", id: 1, questions: [{ name: "web", type: "A" }] });
  const response = Buffer.from(query);
  response[2] = 0x80;
  const garbage = [
    Buffer.alloc(0),
    Buffer.alloc(12),
    query.subarray(0, 14),
    response,
    Buffer.alloc(40, 0xff),
  ];
  const looping = Buffer.from(query);
  looping.writeUInt16BE(0xc00c, 12); // a name that points to itself
  for (const bytes of [...garbage, looping])
    assert.equal(answerQuery(bytes, zone, { transport: "udp", random: () => 0 }).kind, "drop");
});

test("a failure repeats the question and nothing else", () => {
  const query = encode({
    type: "query",
    id: 77,
    flags: 256,
    questions: [{ name: "gone.example", type: "A" }],
  });
  const failure = decode(failureOf(Buffer.concat([query, Buffer.from("rest")]), 2)) as Packet & {
    rcode?: string;
  };
  assert.deepEqual(
    [failure.id, failure.rcode, failure.questions?.[0]?.name, failure.answers],
    [77, "SERVFAIL", "gone.example", []],
  );
  assert.equal(failureOf(query.subarray(0, 13), 5).length, 12);
});
