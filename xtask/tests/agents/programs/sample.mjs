// The same as an ES module, by the older client.
import { createServer, get } from 'node:http';

const server = createServer((request, response) => {
  if (request.url === '/back') return response.end('back');
  get(`http://127.0.0.1:${server.address().port}/back`, (answer) => {
    answer.on('data', (text) => response.end(`front ${text}`));
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
