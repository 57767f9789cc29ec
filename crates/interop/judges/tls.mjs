// A TLS client with Node's own trust decision: tls.mjs ROOT HOST PORT.
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';

const [root, host, port] = process.argv.slice(2);
const options = { host: '127.0.0.1', port: Number(port), servername: host, ca: readFileSync(root) };
const socket = connect(options, () => {
  console.log('OK', socket.getProtocol());
  socket.end();
});
socket.on('error', (refused) => {
  console.log('REFUSED:', refused.code);
  process.exitCode = 1;
});
