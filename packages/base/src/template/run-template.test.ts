import assert from "node:assert/strict";
import test from "node:test";
import { Fault } from "../fault.ts";
import { goValueFromJson, parseExactJson } from "./go-value.ts";
import { openTemplate } from "./run-template.ts";

const container = goValueFromJson(
  parseExactJson(`{"Id":"abcdef","Name":"/web","Count":3,"Big":9223372036854775807,"Ratio":1.5,"Ok":true,
    "State":{"Running":true,"Pid":7,"Health":null},
    "Config":{"Env":["A=1","B=2"],"Cmd":null,"Labels":{"b":"2","a":"1"}},
    "HostConfig":{"Binds":null,"PidsLimit":null,"PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"}]}},
    "NetworkSettings":{"Networks":{"net2":{"IPAddress":"10.0.0.2"},"net1":{"IPAddress":"10.0.0.1"}}}}`),
);

function run(source: string): string {
  return openTemplate(source).run(container);
}

function refusal(source: string): string {
  try {
    run(source);
  } catch (error) {
    assert.ok(Fault.is(error), String(error));
    return error.message;
  }
  assert.fail(`${source} runs`);
}

test("openTemplate() prints values as Go does", () => {
  assert.equal(
    run("{{.Id}} {{.ID}} {{.Count}} {{.Big}} {{.Ratio}} {{.Ok}}"),
    "abcdef abcdef 3 9223372036854775807 1.5 true",
  );
  assert.equal(
    run("{{.Config.Env}} {{.Config.Cmd}} {{.Config.Labels}} {{.HostConfig.PidsLimit}}"),
    "[A=1 B=2] [] map[a:1 b:2] <nil>",
  );
  assert.equal(run("{{.State}} {{.Config.Labels.zz}}"), "{true 7 <nil>} <no value>");
  assert.equal(run("{{json .Config}}"), '{"Env":["A=1","B=2"],"Cmd":null,"Labels":{"b":"2","a":"1"}}');
  assert.equal(run("{{json .Big}} {{json .Name}}"), '9223372036854775807 "/web"');
});

test("openTemplate() branches and loops", () => {
  assert.equal(run("{{if .State.Running}}up{{else}}down{{end}}"), "up");
  assert.equal(run("{{if .Config.Cmd}}cmd{{else if eq .Count 3}}three{{else}}none{{end}}"), "three");
  assert.equal(run("{{range .Config.Env}}<{{.}}>{{end}}"), "<A=1><B=2>");
  assert.equal(run("{{range $i, $e := .Config.Env}}{{if $i}}, {{end}}{{$i}}={{$e}}{{end}}"), "0=A=1, 1=B=2");
  assert.equal(
    run("{{range $k, $v := .NetworkSettings.Networks}}{{$k}}:{{$v.IPAddress}} {{end}}"),
    "net1:10.0.0.1 net2:10.0.0.2 ",
  );
  assert.equal(run("{{range .Config.Cmd}}x{{else}}empty{{end}}"), "empty");
  assert.equal(run('{{range .Config.Env}}{{if eq . "B=2"}}{{break}}{{end}}{{.}}{{end}}'), "A=1");
  assert.equal(run("{{with .State}}{{.Pid}}{{$.Name}}{{end}}"), "7/web");
  assert.equal(run("{{$x := .Count}}{{range .Config.Env}}{{$x = len .}}{{end}}{{$x}}"), "3");
});

test("openTemplate() pipes and calls", () => {
  assert.equal(run('{{.Name | printf "%-6s|%5.2f|%03d|%q" "a" .Ratio 7}}'), 'a     | 1.50|007|"/web"');
  assert.equal(
    run(
      '{{index .Config.Labels "a"}}{{index .Config.Env 1}}{{(index (index .HostConfig.PortBindings "80/tcp") 0).HostPort}}',
    ),
    "1B=28080",
  );
  assert.equal(run("{{slice .Id 0 3}}{{len .Config.Labels}}{{len .Name}}"), "abc24");
  assert.equal(
    run(
      '{{and .Ok .Count}} {{or .Config.Cmd .Name}} {{not .Ok}} {{lt 1 2}} {{ge .Count 4}} {{ne 1 2}} {{eq .Name "x" "/web"}}',
    ),
    "3 /web false true false true true",
  );
  assert.equal(
    run(
      '{{join (split "a,b,c" ",") "/"}} {{upper "x"}}{{lower "Y"}} {{title "ab cd"}} {{truncate "hello" 2}} [{{pad "a" 1 2}}]',
    ),
    "a/b/c Xy Ab Cd he [ a  ]",
  );
  assert.equal(
    run('{{print 1 2 "x" "y"}} {{println "a"}}{{html "<&>"}}'),
    "1 2x y a\n&lt;&amp;&gt;".replace("2x y", "2xy"),
  );
  assert.equal(
    run("{{`raw \\n`}} {{'a'}} {{0x10}} {{1.5}} {{true}} {{\"\\u00e9\\n\"}}"),
    "raw \\n 97 16 1.5 true é\n",
  );
});

test("openTemplate() trims and drops comments", () => {
  assert.equal(run("a {{- /* note */ -}} b {{- .Count -}}  c"), "ab3c");
  assert.equal(run("{{/* note */}}x"), "x");
});

test("openTemplate() refuses in Go's words", () => {
  const cases: Readonly<Record<string, string>> = {
    "{{.Id": "template parsing error: template: :1: unclosed action",
    "{{nofunc .Id}}": 'template parsing error: template: :1: function "nofunc" not defined',
    "{{if}}": "template parsing error: template: :1: missing value for if",
    "{{if .Ok}}": "template parsing error: template: :1: unexpected EOF",
    "{{end}}": "template parsing error: template: :1: unexpected {{end}}",
    "{{$x}}": 'template parsing error: template: :1: undefined variable "$x"',
    "{{.Id | }}": "template parsing error: template: :1: missing value for command",
    '{{"abc}}': "template parsing error: template: :1: unterminated quoted string",
    "{{(.Id}}": "template parsing error: template: :1: unclosed left paren",
    "{{.Foo}}": 'template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"',
    "{{.Config.Foo}}": 'template: :1:9: executing "" at <.Config.Foo>: map has no entry for key "Foo"',
    "{{.Name.Foo}}": `template: :1:7: executing "" at <.Name.Foo>: can't evaluate field Foo in type string`,
    "{{index .Config.Env 9}}":
      'template: :1:2: executing "" at <index .Config.Env 9>: error calling index: index out of range: 9',
    "{{lt 1}}": 'template: :1:2: executing "" at <lt>: wrong number of args for lt: want 2 got 1',
  };
  for (const [source, words] of Object.entries(cases)) assert.equal(refusal(source), words, source);
});

test("openTemplate() throws nothing but faults, whatever it is given", () => {
  const pieces = [
    "{{",
    "}}",
    ".",
    ".Id",
    ".Config",
    ".Env",
    "$",
    "$x",
    ":=",
    "=",
    "|",
    "(",
    ")",
    " ",
    "if",
    "range",
    "end",
    "else",
    "with",
    "len",
    "index",
    "printf",
    "json",
    "slice",
    "eq",
    '"a"',
    "`b`",
    "'c'",
    "1",
    "-1",
    "1.5",
    "-}}",
    "{{-",
    "/*",
    "*/",
    "break",
    "continue",
    "nil",
    "true",
    "\n",
    "é",
    "\0",
    ",",
    "%s",
    "pad",
    "truncate",
  ];
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 48271) % 2147483647;
    return seed % below;
  };
  let ran = 0;
  for (let round = 0; round < 20_000; round++) {
    const inner = Array.from({ length: 1 + random(8) }, () => pieces[random(pieces.length)] ?? "").join(
      random(2) === 0 ? " " : "",
    );
    const source = random(3) === 0 ? inner : `{{${inner}}}`;
    try {
      run(source);
      ran++;
    } catch (error) {
      assert.ok(
        Fault.is(error),
        `${JSON.stringify(source)}: ${error instanceof Error ? error.stack : String(error)}`,
      );
    }
  }
  assert.ok(ran > 500, "some of them run");
});

test("openTemplate() survives deep nesting", () => {
  assert.ok(Fault.is(caught(() => run(`{{${"(".repeat(5000)}1${")".repeat(5000)}}}`))));
  assert.ok(Fault.is(caught(() => run("{{if 1}}".repeat(5000)))));
  assert.ok(Fault.is(caught(() => run(`{{if 1}}${"{{else if 1}}".repeat(5000)}{{end}}`))));
});

function caught(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}
