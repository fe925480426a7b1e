// Prices says what an article costs, which depends on how many are left: it asks the stock.
"use strict";

const http = require("node:http");

const stock = process.env.STOCK_URL ?? "http://stock:8080";

function getJson(url) {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { timeout: 5000 }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => (text += chunk));
      response.on("end", () => {
        try {
          resolve(JSON.parse(text));
        } catch (error) {
          reject(error);
        }
      });
    });
    request.on("timeout", () => request.destroy(new Error("no answer in time")));
    request.on("error", reject);
  });
}

async function answer(path) {
  if (path === "/healthz") return [200, {}];
  const article = /^\/prices\/(\w+)$/.exec(path)?.[1];
  if (article === undefined) return [404, { error: "not found" }];
  try {
    const { left } = await getJson(`${stock}/stock/${article}`);
    return [200, { article, left, price: 100 - left }];
  } catch (error) {
    return [502, { error: `stock: ${error.message}` }];
  }
}

const server = http.createServer(async (request, response) => {
  const [status, body] = await answer(request.url);
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
});

server.listen(8080);
process.on("SIGTERM", () => server.close(() => process.exit(0)));
