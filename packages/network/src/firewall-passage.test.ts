import assert from "node:assert/strict";
import { test } from "node:test";
import { parseForwardChains } from "./firewall-passage.ts";

const text = `table inet hawser { # handle 1
	chain guard { # handle 2
		type filter hook prerouting priority raw; policy accept;
	}
	chain published { # handle 3
	}
	chain forward { # handle 4
		type filter hook forward priority filter; policy accept;
	}
}
table inet other_engine {
	chain guard {
		type filter hook prerouting priority raw; policy accept;
	}
	chain published {
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
	}
}
table ip filter { # handle 7
	chain FORWARD { # handle 1
		type filter hook forward priority filter; policy drop;
	}
	chain INPUT {
		type filter hook input priority filter; policy accept;
	}
	chain ufw-user-forward {
	}
}
table inet firewalld {
	chain filter_FORWARD {
		type filter hook forward priority filter + 10; policy accept;
	}
	chain mangle_FORWARD {
		type nat hook forward priority filter; policy accept;
	}
}
table bridge x {
	chain FORWARD {
		type filter hook forward priority filter; policy accept;
	}
}
table ip odd {
	chain "a b" {
		type filter hook forward priority filter; policy accept;
	}
}
`;

test("only others' filters of what is passed on are found", () => {
  assert.deepEqual(parseForwardChains(text, "hawser"), [
    { family: "ip", table: "filter", chain: "FORWARD" },
    { family: "inet", table: "firewalld", chain: "filter_FORWARD" },
  ]);
});
