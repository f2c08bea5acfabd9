/** A place in the engine's rules: an element of one of its sets or maps. */
export interface RuleElement {
  readonly set: keyof typeof sets;
  /** As nft writes it: `"br-1"`, `tcp . 8080`. */
  readonly key: string;
  /** Of maps. */
  readonly value?: string;
}

/**
 * The sets that the rules look into; what changes while the engine runs are elements of these, never rules.
 *
 * - `bridges`: every bridge of the engine; `internal`: those without a way out; `same`: each with itself
 * - `masquerade`: subnets whose containers go out under the host's address
 * - `source`: subnets whose containers go out under a certain address of the host's
 * - `unprotected`: bridges whose containers may be reached directly, on any port; `open`: containers' ports that may
 * - `trusted`: interfaces and bridges from and at which the ports in `direct`, published ones, may be reached, too
 * - `published`: protocol and port of the host, on any of its addresses or (`_at`) on one → container's address and port
 */
export const sets = {
  bridges: "set bridges { type ifname; }",
  internal: "set internal { type ifname; }",
  same: "set same { type ifname . ifname; }",
  masquerade4: "set masquerade4 { type ipv4_addr; flags interval; }",
  masquerade6: "set masquerade6 { type ipv6_addr; flags interval; }",
  source4: "map source4 { type ipv4_addr : ipv4_addr; flags interval; }",
  source6: "map source6 { type ipv6_addr : ipv6_addr; flags interval; }",
  trusted: "set trusted { type ifname . ifname; }",
  direct4: "set direct4 { type ipv4_addr . inet_proto . inet_service; }",
  direct6: "set direct6 { type ipv6_addr . inet_proto . inet_service; }",
  unprotected4: "set unprotected4 { type ifname; }",
  unprotected6: "set unprotected6 { type ifname; }",
  open4: "set open4 { type ipv4_addr . inet_proto . inet_service; }",
  open6: "set open6 { type ipv6_addr . inet_proto . inet_service; }",
  published4: "map published4 { type inet_proto . inet_service : ipv4_addr . inet_service; }",
  published6: "map published6 { type inet_proto . inet_service : ipv6_addr . inet_service; }",
  published4_at:
    "map published4_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }",
  published6_at:
    "map published6_at { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }",
} as const;

/**
 * The whole table, as one transaction that replaces what has its name. In the order of a packet:
 *
 * - `guard`: what containers send to the loopback network is dropped, since bridges carry it (`routeLoopback`);
 * - `prerouting`, `output`: what goes to a published port of any of the host's addresses gets its container's, also from
 *   the host itself and from containers; but not what a neighbour sends to 127.0.0.0/8, which the kernel then refuses;
 * - `forward`: to a container goes what belongs to connections that it has made, what comes from its own network, and what
 *   is published; nothing of this overrules another table that drops. Networks are closed to each other and to the host's
 *   neighbours, internal ones to everything;
 * - `postrouting`: containers that go out get the host's address, and so does what comes back into the network that it came
 *   from, and what came from the host's loopback, since the answer must come back through the host. What passes another's
 *   bridge is shown here too (`bridge-nf-call-iptables`), and keeps its address though it be one of ours.
 */
export function tableRules(table: string, elements: Iterable<RuleElement>): string {
  const ports = "meta l4proto { tcp, udp, sctp }";
  return `add table inet ${table}
delete table inet ${table}
table inet ${table} {
	${Object.values(sets).join("\n\t")}
	chain guard {
		type filter hook prerouting priority raw; policy accept;
		iifname @bridges ip daddr 127.0.0.0/8 drop
	}
	chain published {
		${ports} dnat ip to ip daddr . meta l4proto . th dport map @published4_at
		${ports} dnat ip to meta l4proto . th dport map @published4
		${ports} dnat ip6 to ip6 daddr . meta l4proto . th dport map @published6_at
		${ports} dnat ip6 to meta l4proto . th dport map @published6
	}
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 127.0.0.0/8 return
		fib daddr type local jump published
	}
	chain output {
		type nat hook output priority -100; policy accept;
		ip6 daddr ::1 return
		fib daddr type local jump published
	}
	chain inbound {
		iifname @internal drop
		ct state established,related accept
		ct status dnat accept
		meta nfproto ipv4 oifname @unprotected4 accept
		meta nfproto ipv6 oifname @unprotected6 accept
		${ports} ip daddr . meta l4proto . th dport @open4 accept
		${ports} ip6 daddr . meta l4proto . th dport @open6 accept
		iifname . oifname @trusted ${ports} ip daddr . meta l4proto . th dport @direct4 accept
		iifname . oifname @trusted ${ports} ip6 daddr . meta l4proto . th dport @direct6 accept
		drop
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
		iifname . oifname @same accept
		oifname @internal drop
		oifname @bridges jump inbound
		iifname @internal drop
	}
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ct status dnat iifname . oifname @same masquerade
		ct status dnat ip saddr 127.0.0.0/8 oifname @bridges masquerade
		iifname != @bridges return
		oifname @bridges return
		snat ip to ip saddr map @source4
		snat ip6 to ip6 saddr map @source6
		ip saddr @masquerade4 masquerade
		ip6 saddr @masquerade6 masquerade
	}
}
${[...elementCommands("add", table, elements)].join("")}`;
}

/** One command for each set that has elements among these. */
export function* elementCommands(
  verb: "add" | "delete",
  table: string,
  elements: Iterable<RuleElement>,
): Generator<string> {
  for (const [set, group] of Map.groupBy(elements, ({ set }) => set)) {
    const texts = group.map(({ key, value }) =>
      verb === "delete" || value === undefined ? key : `${key} : ${value}`,
    );
    yield `${verb} element inet ${table} ${set} { ${texts.join(", ")} }\n`;
  }
}
