// Where the gateway is, and how to show that one may ask it.
import WebSocket from "ws";

const base = process.env.GATEWAY_URL;
if (!base) throw new Error("GATEWAY_URL is not set");

export const httpURL = `${base}/v1/graphql`;
export const wsURL = httpURL.replace(/^http/, "ws");
export const headers = { "x-hasura-admin-secret": process.env.ADMIN_SECRET, "x-hasura-role": "user" };
export { WebSocket };

export const GREET = `query Greet($name: String!) { greet(name: $name) { text } }`;
export const SIGN_UP = `mutation SignUp($input: SignUpInput!) { signUp(input: $input) { id email } }`;
export const REPORT = `mutation Report($topic: String!) { report(topic: $topic) }`;
export const RESULT = `subscription Result($id: uuid!) { report(id: $id) { id output { url } errors } }`;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const isUUID = (text) => UUID.test(text);
