import assert from "node:assert/strict";
import test from "node:test";
import {
  boolFlag,
  bytesFlag,
  cpusFlag,
  durationFlag,
  filterFlag,
  intFlag,
  listFlag,
  mapFlag,
  stringFlag,
} from "./flag-kinds.ts";
import { parseFlags } from "./parse-flags.ts";

const table = {
  interactive: boolFlag("", { short: "i" }),
  tty: boolFlag("", { short: "t" }),
  rm: boolFlag(""),
  "sig-proxy": boolFlag("", { initial: true }),
  env: listFlag("", { short: "e" }),
  name: stringFlag(""),
  memory: bytesFlag("", { short: "m" }),
  cpus: cpusFlag(""),
  count: intFlag("", { short: "n", initial: -1 }),
  wait: durationFlag(""),
  label: mapFlag(""),
  filter: filterFlag("", { short: "f" }),
};

function parsed(...argv: string[]) {
  const result = parseFlags(table, argv, { stopAtFirst: true });
  assert.ok(result.kind === "parsed", JSON.stringify(result));
  return result;
}

function refusal(...argv: string[]) {
  const result = parseFlags(table, argv, { stopAtFirst: true });
  assert.ok(result.kind === "wrong", JSON.stringify(result));
  return result.words;
}

test("parseFlags() reads clusters of short options", () => {
  const { flags, args } = parsed("-ite", "A=1", "-eB=2", "-e=C=3", "-eD", "image");
  assert.deepEqual(flags.env, ["A=1", "B=2", "C=3", "D"]);
  assert.deepEqual([flags.interactive, flags.tty, flags.rm], [true, true, false]);
  assert.deepEqual(args, ["image"]);
  assert.deepEqual(parsed("-it=false", "x").flags.tty, false);
});

test("parseFlags() takes a value for a switch only after =", () => {
  assert.equal(parsed("--sig-proxy=false", "x").flags["sig-proxy"], false);
  const { flags, args } = parsed("--rm", "false");
  assert.deepEqual([flags.rm, args], [true, ["false"]]);
});

test("parseFlags() leaves the container's command alone when it stops at the first argument", () => {
  assert.deepEqual(parsed("-i", "image", "ls", "-t", "--", "-x").args, ["image", "ls", "-t", "--", "-x"]);
  assert.deepEqual(parsed("--", "-t").args, ["-t"]);
  const interspersed = parseFlags(table, ["a", "-t", "b", "--", "-c", "--"]);
  assert.ok(interspersed.kind === "parsed");
  assert.deepEqual([interspersed.flags.tty, interspersed.args], [true, ["a", "b", "-c", "--"]]);
});

test("parseFlags() gives each kind of option its value", () => {
  const { flags, changed } = parsed(
    ..."-m 1.5g --cpus 0.25 -n 0x10 --wait 1m1.5s --label a=b=c --label d -f a=b -f a=b -f A=c --name= x".split(
      " ",
    ),
  );
  assert.equal(flags.memory, 1.5 * 2 ** 30);
  assert.equal(flags.cpus, 250_000_000);
  assert.equal(flags.count, 16);
  assert.equal(flags.wait, 61.5e9);
  assert.deepEqual(
    [...flags.label],
    [
      ["a", "b=c"],
      ["d", ""],
    ],
  );
  assert.deepEqual([...flags.filter], [["a", ["b", "c"]]]);
  assert.deepEqual([flags.name, changed.has("name"), changed.has("rm")], ["", true, false]);
});

test("parseFlags() refuses in the words of pflag", () => {
  assert.equal(refusal("--bogus=1"), "unknown flag: --bogus");
  assert.equal(refusal("-iZ"), "unknown shorthand flag: 'Z' in -Z");
  assert.equal(refusal("--name"), "flag needs an argument: --name");
  assert.equal(refusal("-ie"), "flag needs an argument: 'e' in -e");
  assert.equal(refusal("--=x"), "bad flag syntax: --=x");
  assert.equal(refusal("---x"), "bad flag syntax: ---x");
  assert.equal(
    refusal("--rm=maybe"),
    'invalid argument "maybe" for "--rm" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
  );
  assert.equal(refusal("-m", "4x"), `invalid argument "4x" for "-m, --memory" flag: invalid suffix: 'x'`);
  assert.equal(
    refusal("-n99999999999999999999"),
    'invalid argument "99999999999999999999" for "-n, --count" flag: strconv.ParseInt: parsing "99999999999999999999": value out of range',
  );
  assert.equal(
    refusal("--cpus", "0.0000000001"),
    'invalid argument "0.0000000001" for "--cpus" flag: value is too precise',
  );
  assert.equal(
    refusal("--wait", "5"),
    'invalid argument "5" for "--wait" flag: time: missing unit in duration "5"',
  );
});

test("parseFlags() asks for help with --help, and with -h where that is no option", () => {
  for (const word of ["--help", "-h", "-ih", "--help=true"])
    assert.equal(parseFlags(table, [word]).kind, "help", word);
  assert.equal(parseFlags({ host: stringFlag("", { short: "h" }) }, ["-h", "x"]).kind, "parsed");
});

test("parseFlags() never throws, whatever it is given", () => {
  const pieces = [
    "-",
    "--",
    "=",
    "i",
    "t",
    "e",
    "env",
    "name",
    "memory",
    "\0",
    "é",
    "😀",
    "",
    "1",
    "m",
    "help",
    "__proto__",
    "constructor",
    " ",
  ];
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  for (let round = 0; round < 5000; round++) {
    const argv = Array.from({ length: random(5) }, () =>
      Array.from({ length: random(5) }, () => pieces[random(pieces.length)]).join(""),
    );
    const result = parseFlags(table, argv, { stopAtFirst: random(2) === 0 });
    assert.ok(["help", "wrong", "parsed"].includes(result.kind));
  }
});
