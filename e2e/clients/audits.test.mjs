// The audits of GraphQL over HTTP that graphql-http brings along. Hasura is older than that specification; what its
// contract forbids is listed with the reason, and must indeed fail: a list that is out of date is a fault too.
import assert from "node:assert/strict";
import test from "node:test";
import { serverAudits } from "graphql-http";
import { headers, httpURL } from "./gateway.mjs";

const always200 = "errors have status 200 on /v1/graphql";
const noGET = "GET is for persisted queries alone, which an open-source Hasura does not have";
const noExtensions = "extensions of a request are not looked at";
const forbidden = {
  "22EB": "answers are application/json, whatever the client accepts",
  "9ABE": "the content type of a request is not looked at",
  "9C48": noGET,
  D6D5: noGET,
  "6A70": noGET,
  ...Object.fromEntries(["58B0", "58B1", "58B2", "58B3"].map((id) => [id, noExtensions])),
  ...Object.fromEntries(
    [
      ...["A5BF", "423L", "LKJ0", "LKJ1", "LKJ2", "LKJ3", "6C00", "6C01", "6C02", "6C03", "4760", "4761", "4762", "4763"],
      ...["BCF8", "B7N8", "8764", "3E3A", "865D", "556A", "51FE", "74FF", "86EE"],
    ].map((id) => [id, always200]),
  ),
};

const fetchFn = (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...headers } });

for (const audit of serverAudits({ url: httpURL, fetchFn })) {
  const reason = forbidden[audit.id];
  test(`${audit.id} ${audit.name}${reason ? ` (not in Hasura: ${reason})` : ""}`, async () => {
    const result = await audit.fn();
    await result.response?.body?.cancel().catch(() => {});
    if (reason) assert.notEqual(result.status, "ok", `${audit.id} passes: take it off the list`);
    else assert.equal(result.status, "ok", `${result.status}: ${result.reason}`);
  });
}

test("the list names audits that there are", () => {
  const known = new Set(serverAudits({ url: httpURL }).map((audit) => audit.id));
  for (const id of Object.keys(forbidden)) assert.ok(known.has(id), id);
});
