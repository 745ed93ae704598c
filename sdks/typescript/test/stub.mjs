// A platform that answers what a test tells it to, and remembers what it was asked.

import { createServer } from "node:http";
import { after } from "node:test";

/** Starts a server. `answers` gives for each request {status, headers, body}, or "hang up". */
export async function stub(answers) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { method, url, headers } = request;
    const seen = { method, url, headers, body: Buffer.concat(chunks).toString() };
    requests.push(seen);
    const answer = await answers(seen, requests.length);
    if (answer === "hang up") return request.socket.destroy();
    const { status = 200, headers: own = {}, body } = answer;
    response.writeHead(status, own);
    response.end(typeof body === "string" ? body : body === undefined ? "" : JSON.stringify(body));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { baseUrl: `http://127.0.0.1:${server.address().port}`, requests };
}

/** A timing that waits for nothing and notes each pause. */
export function hurried(random = 1) {
  const pauses = [];
  const timing = {
    now: () => Date.now(),
    random: () => random,
    wait: async (ms) => void pauses.push(ms),
  };
  return { timing, pauses };
}

/** The body of an error, as the platform words it. */
export function worded(error, reason, violations = []) {
  const details = [{ "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason }];
  if (violations.length > 0) {
    const type = "type.googleapis.com/google.rpc.BadRequest";
    details.push({ "@type": type, field_violations: violations });
  }
  const message = `because of ${reason}`;
  return { error, message, error_description: message, request_id: "req-1", details };
}
