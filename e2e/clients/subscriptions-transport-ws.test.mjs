import assert from "node:assert/strict";
import test from "node:test";
import transport from "subscriptions-transport-ws";
import { GREET, REPORT, RESULT, SIGN_UP, WebSocket, headers, isUUID, wsURL } from "./gateway.mjs";

const { SubscriptionClient } = transport;
const connect = (connectionParams) => new SubscriptionClient(wsURL, { connectionParams, reconnect: false }, WebSocket);

const all = (client, request) =>
  new Promise((resolve, reject) => {
    const values = [];
    client.request(request).subscribe({ next: (v) => values.push(v), error: reject, complete: () => resolve(values) });
  });

test("queries, mutations and errors", async (t) => {
  const client = connect({ headers });
  t.after(() => client.close());
  assert.deepEqual(await all(client, { query: GREET, variables: { name: "Ann" } }), [
    { data: { greet: { text: "hello Ann" } } },
  ]);
  assert.deepEqual(await all(client, { query: SIGN_UP, variables: { input: { email: "a@example.com" } } }), [
    { data: { signUp: { id: "1", email: "a@example.com" } } },
  ]);
  const [refused] = await all(client, { query: '{ greet(name: "") { text } }' });
  assert.equal(refused.errors[0].message, "the name is empty");
  await assert.rejects(all(client, { query: "{ nothing }" }), {
    message: "field 'nothing' not found in type: 'query_root'",
  });
});

test("a subscription ends with the action", async (t) => {
  const client = connect({ headers });
  t.after(() => client.close());
  const [{ data }] = await all(client, { query: REPORT, variables: { topic: "legacy" } });
  assert.ok(isUUID(data.report), data.report);
  const values = await all(client, { query: RESULT, variables: { id: data.report } });
  assert.equal(values.at(-1).data.report.output.url, "https://reports.example.com/legacy");
});

test("a wrong secret is a connection error", async (t) => {
  const error = await new Promise((resolve) => {
    const connectionParams = { headers: { "x-hasura-admin-secret": "wrong" } };
    const options = { connectionParams, reconnect: false, connectionCallback: resolve };
    const client = new SubscriptionClient(wsURL, options, WebSocket);
    t.after(() => client.close());
  });
  assert.match(error, /invalid "x-hasura-admin-secret"/);
});
