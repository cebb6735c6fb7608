import assert from "node:assert/strict";
import test from "node:test";
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { BatchHttpLink } from "@apollo/client/link/batch-http";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { createClient } from "graphql-ws";
import { GREET, REPORT, RESULT, SIGN_UP, WebSocket, headers, httpURL, isUUID, wsURL } from "./gateway.mjs";

const apollo = (link) => new ApolloClient({ link, cache: new InMemoryCache() });

for (const [name, link] of [
  ["HTTP", () => new HttpLink({ uri: httpURL, headers })],
  ["batched HTTP", () => new BatchHttpLink({ uri: httpURL, headers })],
]) {
  test(`${name}: queries, mutations and errors`, async (t) => {
    const client = apollo(link());
    t.after(() => client.stop());
    // Sent in one tick, so that a batching link makes one request of them.
    const [greeting, signedUp, refused] = await Promise.all([
      client.query({ query: gql(GREET), variables: { name: "Ann" } }),
      client.mutate({ mutation: gql(SIGN_UP), variables: { input: { email: "a@example.com" } } }),
      client.query({ query: gql(GREET), variables: { name: "" } }).catch((error) => error),
    ]);
    // Apollo adds __typename to each selection set.
    assert.deepEqual(greeting.data.greet, { __typename: "Greeting", text: "hello Ann" });
    assert.deepEqual(signedUp.data.signUp, { __typename: "Account", id: "1", email: "a@example.com" });
    assert.ok(CombinedGraphQLErrors.is(refused), String(refused));
    assert.equal(refused.errors[0].message, "the name is empty");
    assert.equal(refused.errors[0].extensions.code, "empty-name");
  });
}

test("an object with a key is cached under it", async (t) => {
  const client = apollo(new HttpLink({ uri: httpURL, headers }));
  t.after(() => client.stop());
  await client.mutate({ mutation: gql(SIGN_UP), variables: { input: { email: "b@example.com" } } });
  assert.equal(client.cache.extract()["Account:1"].email, "b@example.com");
});

test("a subscription over graphql-ws", async (t) => {
  const socket = createClient({ url: wsURL, webSocketImpl: WebSocket, connectionParams: { headers } });
  t.after(() => socket.dispose());
  const client = apollo(new GraphQLWsLink(socket));
  t.after(() => client.stop());
  const { data } = await client.mutate({ mutation: gql(REPORT), variables: { topic: "apollo" } });
  assert.ok(isUUID(data.report), data.report);
  const seen = [];
  await new Promise((resolve, reject) => {
    client.subscribe({ query: gql(RESULT), variables: { id: data.report } }).subscribe({
      next: ({ data, error }) => (error ? reject(error) : seen.push(data.report.output?.url ?? null)),
      error: reject,
      complete: resolve,
    });
  });
  assert.equal(seen.at(-1), "https://reports.example.com/apollo");
});
