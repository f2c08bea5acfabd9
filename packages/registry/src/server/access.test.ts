import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Fault } from "@hawser/base";
import bcrypt from "bcryptjs";
import { Access } from "./access.ts";
import { parseUsers } from "./users.ts";

const openAccess = () => new Access({ users: parseUsers(`ann:${bcrypt.hashSync("right", 8)}\n`) });

describe("passwords that are guessed", () => {
  test("are compared one after the other, so that others have their turns", async () => {
    const access = openAccess();
    let answered = 0;
    const guesses = Array.from({ length: 40 }, async () => {
      await assert.rejects(access.logIn("ann", "wrong"), { code: "UNAUTHORIZED" });
      answered++;
    });
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    assert.ok(answered < 20, `${answered} of 40 in five turns`);
    await Promise.all(guesses);
  });

  test("are refused when there are too many, and the user is let in again after them", async () => {
    const access = openAccess();
    const guess = () => access.logIn("ann", "wrong").catch((error: unknown) => Fault.from(error).code);
    const codes = await Promise.all(Array.from({ length: 120 }, guess));
    assert.equal(codes.filter((code) => code === "TOOMANYREQUESTS").length, 20);
    assert.equal((await access.logIn("ann", "right")).user, "ann");
  });

  test("a user's requests wait for one comparison, however many they are", async () => {
    const access = openAccess();
    const compared: unknown[] = [];
    const callers = Array.from({ length: 50 }, () => access.logIn("ann", "right"));
    for (const caller of callers) void caller.then((one) => compared.push(one.user));
    await callers[0];
    await setImmediate();
    assert.equal(compared.length, 50);
  });
});
