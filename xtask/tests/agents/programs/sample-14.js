// What sample.js does, without what Node.js 14 does not have.
const http = require('http');

const server = http.createServer((request, response) => {
  if (request.url === '/back') return response.end('back');
  http.get({ port: server.address().port, path: '/back' }, (answer) => {
    let text = '';
    answer.on('data', (data) => (text += data));
    answer.on('end', () => response.end('front ' + text));
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
