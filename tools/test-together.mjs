// Before test files that share a process.
import { afterEach, beforeEach } from "node:test";

// A test may wait for what holds no process, as AbortSignal.timeout(): Node would end it, and all that come after it.
const held = [];
beforeEach(() => void held.push(setInterval(() => {}, 1000)));
afterEach(() => clearInterval(held.pop()));
