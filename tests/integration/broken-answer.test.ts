/** A daemon that ends in the middle of an answer: the command that asked says so, and ends. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { askDaemon } from '../../gateway/local/local-client.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

test('an answer that breaks off is an error, not a wait', async () => {
  const socket = join(workspace.folder(), 'footbridge.sock');
  const daemon = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': 1_000 });
    response.write('{"buffer":');
    response.socket?.end();
  }).listen(socket);
  workspace.onEnd(() => daemon.close());
  await once(daemon, 'listening');

  await expect(askDaemon(socket, 'GET', '/status')).rejects.toMatchObject({
    code: 'not_answering',
    detail: expect.stringContaining('broke off'),
  });
});
