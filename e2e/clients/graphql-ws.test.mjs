import assert from "node:assert/strict";
import test from "node:test";
import { createClient } from "graphql-ws";
import { GREET, REPORT, RESULT, SIGN_UP, WebSocket, headers, isUUID, wsURL } from "./gateway.mjs";

const connect = (connectionParams) =>
  createClient({ url: wsURL, webSocketImpl: WebSocket, connectionParams, retryAttempts: 0 });

async function all(client, payload) {
  const values = [];
  for await (const value of client.iterate(payload)) values.push(value);
  return values;
}

test("queries, mutations and errors", async (t) => {
  const client = connect({ headers });
  t.after(() => client.dispose());
  assert.deepEqual(await all(client, { query: GREET, variables: { name: "Ann" } }), [
    { data: { greet: { text: "hello Ann" } } },
  ]);
  assert.deepEqual(await all(client, { query: SIGN_UP, variables: { input: { email: "a@example.com" } } }), [
    { data: { signUp: { id: "1", email: "a@example.com" } } },
  ]);
  for (const [query, message] of [
    ["{ nothing }", /field 'nothing' not found in type: 'query_root'/],
    ['{ greet(name: "") { text } }', /the name is empty/],
  ]) {
    await assert.rejects(all(client, { query }), (errors) => message.test(errors[0].message));
  }
});

test("a subscription ends with the action", async (t) => {
  const client = connect({ headers });
  t.after(() => client.dispose());
  const [{ data }] = await all(client, { query: REPORT, variables: { topic: "ws" } });
  assert.ok(isUUID(data.report), data.report);
  const values = await all(client, { query: RESULT, variables: { id: data.report } });
  assert.deepEqual(values.at(-1).data.report, {
    id: data.report,
    output: { url: "https://reports.example.com/ws" },
    errors: null,
  });
});

test("a subscription is stopped by the client", async (t) => {
  const client = connect({ headers });
  t.after(() => client.dispose());
  const [{ data }] = await all(client, { query: REPORT, variables: { topic: "slow" } });
  const results = client.iterate({ query: RESULT, variables: { id: data.report } });
  assert.equal((await results.next()).value.data.report.output, null);
  await results.return();
  assert.deepEqual(await all(client, { query: "{ __typename }" }), [{ data: { __typename: "query_root" } }]);
});

test("many operations on one connection", async (t) => {
  const client = connect({ headers });
  t.after(() => client.dispose());
  const names = Array.from({ length: 50 }, (_, i) => `n${i}`);
  const got = await Promise.all(names.map((name) => all(client, { query: GREET, variables: { name } })));
  assert.deepEqual(got.map(([{ data }]) => data.greet.text), names.map((name) => `hello ${name}`));
});

test("a wrong secret closes the connection", async (t) => {
  const client = connect({ headers: { "x-hasura-admin-secret": "wrong" } });
  t.after(() => client.dispose());
  await assert.rejects(all(client, { query: "{ __typename }" }), (event) => event.code === 4403);
});
