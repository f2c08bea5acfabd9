import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCsvFields } from "./csv-fields.ts";

test("parseCsvFields() takes commas in quotes, and says where a quote is wrong as Go does", () => {
  const quoted = 'extraneous or missing " in quoted-field';
  assert.deepEqual(parseCsvFields('a=b,"c=d,""e""",,f'), { fields: ["a=b", 'c=d,"e"', "", "f"] });
  assert.deepEqual(parseCsvFields('a,b="c'), {
    problem: 'parse error on line 1, column 5: bare " in non-quoted-field',
  });
  assert.deepEqual(parseCsvFields('a,"b"c'), { problem: `parse error on line 1, column 5: ${quoted}` });
  assert.deepEqual(parseCsvFields('a,"b=c'), { problem: `parse error on line 1, column 7: ${quoted}` });
  assert.deepEqual(parseCsvFields('a,"b=c', "csvvalue"), {
    problem: `parse error on line 1, column 4: ${quoted}`,
  });
});
