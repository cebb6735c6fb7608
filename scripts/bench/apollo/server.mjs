// Apollo Server in front of the benchmark's handler: what a team would write instead of declaring an action. It prints its
// address and ends with its standard input. usage: node server.mjs HANDLER
import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import { ApolloServer } from "@apollo/server";
import { startStandaloneServer } from "@apollo/server/standalone";
import { GraphQLError } from "graphql";
import { pino } from "pino";

const [hostname, port] = process.argv[2].split(":");
const secret = process.env.BENCH_SECRET;
const agent = new Agent({ keepAlive: true });

// A line for each request, as the gateway writes two, by the fastest logger there is, and thrown away as the gateway's are.
const log = pino(pino.destination({ dest: "/dev/null", sync: false, minLength: 4096 }));
const requestLog = {
  async requestDidStart({ request }) {
    const start = performance.now();
    return {
      async willSendResponse({ operationName, contextValue, response }) {
        log.info({
          request_id: request.http.headers.get("x-request-id") ?? randomUUID(),
          operation: operationName,
          role: contextValue["x-hasura-role"],
          status: response.http.status ?? 200,
          duration_ms: performance.now() - start,
        });
      },
    };
  },
};

const typeDefs = `
  scalar uuid
  type Query { none: String }
  type Mutation { register(input: RegisterInput!): RegisterOutput }
  input RegisterInput { email: String! password: String! name: String! company: String }
  type RegisterOutput { success: Boolean! user: UserInfo message: String! }
  type UserInfo { id: uuid! email: String! name: String! email_verified: Boolean! }
`;

function call(body) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = {
      "Content-Type": "application/json",
      "Content-Length": Buffer.byteLength(text),
      "X-Hasura-Admin-Secret": secret,
    };
    const req = request({ agent, hostname, port, path: "/actions/register", method: "POST", headers }, (res) => {
      const chunks = [];
      res.on("data", (chunk) => chunks.push(chunk));
      res.on("error", reject);
      res.on("end", () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    });
    req.on("error", reject);
    req.end(text);
  });
}

const server = new ApolloServer({
  typeDefs,
  plugins: [requestLog],
  resolvers: {
    Mutation: {
      register: (_, input, session) =>
        call({ action: { name: "register" }, input, session_variables: session, request_query: "" }),
    },
  },
});
const { url } = await startStandaloneServer(server, {
  listen: { host: "127.0.0.1", port: 0 },
  context: async ({ req }) => {
    if (req.headers["x-hasura-admin-secret"] !== secret) throw new GraphQLError("access denied");
    return { "x-hasura-role": "admin" };
  },
});
console.log(new URL(url).host);
process.stdin.on("end", () => process.exit(0)).resume();
