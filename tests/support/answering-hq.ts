/** An HQ that has nothing and wants nothing: it hears the heartbeats of a gateway that is well. */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

const server = http.createServer((request, response) => {
  request.resume();
  request.on('end', () => response.end(JSON.stringify({ server_time: Date.now(), epochs: [] })));
});
server.listen(0, '127.0.0.1').unref();
await once(server, 'listening');

export const answering_hq_url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
