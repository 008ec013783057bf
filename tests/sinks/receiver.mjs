// A receiver of web hooks that verifies each signature by the words of Standard Webhooks, with Node's own crypto.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const [secret] = process.argv.slice(2);
const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks).toString("utf8");
    const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signatures = "" } = request.headers;
    const expected = createHmac("sha256", key).update(`${id}.${at}.${body}`).digest();
    const verified = signatures.split(" ").some((each) => {
      const [version, signature] = each.split(",");
      const given = Buffer.from(signature ?? "", "base64");
      return version === "v1" && given.length === expected.length && timingSafeEqual(given, expected);
    });
    response.writeHead(verified ? 204 : 401).end();
    if (verified) console.log(JSON.parse(body).body);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
