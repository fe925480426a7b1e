// A server that answers /front by what it asks of itself at /back. Its port is the first line it says.
const http = require('http');

const server = http.createServer(async (request, response) => {
  if (request.url === '/back') return response.end('back');
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/back`);
  response.end(`front ${await answer.text()}`);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
