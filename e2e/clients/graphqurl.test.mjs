// Hasura's own command line client: as a library, and its program gq.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import test from "node:test";
import { promisify } from "node:util";
import { GREET, REPORT, RESULT, headers, httpURL } from "./gateway.mjs";

const require = createRequire(import.meta.url);
const gq = path.join(path.dirname(require.resolve("graphqurl/package.json")), "bin", "run");
const flags = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
const run = (...args) => promisify(execFile)(process.execPath, [gq, httpURL, ...flags, ...args], { timeout: 60_000 });

test("the library asks over HTTP", async () => {
  const { createClient } = require("graphqurl");
  const client = createClient({ endpoint: httpURL, headers });
  const { data } = await client.query({ query: GREET, variables: { name: "Ann" } });
  assert.deepEqual(data, { greet: { text: "hello Ann" } });
});

test("gq asks", async () => {
  const { stdout } = await run("-q", GREET, "-v", "name=Ann");
  assert.match(stdout, /"text": "hello Ann"/);
});

test("gq prints the schema", async () => {
  const { stdout } = await run("--introspect");
  assert.match(stdout, /type mutation_root \{/);
  assert.match(stdout, /input SignUpInput \{/);
  assert.match(stdout, /scalar uuid/);
});
