import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { Aedes } from 'aedes';
import { describe } from 'vitest';
import { brokerContract } from '../support/broker-contract.ts';
import { describeWith, mosquitto } from '../support/debian-part.ts';
import { startMosquitto } from '../support/mosquitto.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

describe('a client of an aedes broker (MQTT 3.1.1)', () => {
  brokerContract(workspace, async () => {
    const broker = new Aedes();
    await broker.listen();
    const server: Server = createServer((socket) => broker.handle(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    workspace.onEnd(async () => {
      server.close();
      await new Promise<void>((resolve) => broker.close(() => resolve()));
    });
    const address = server.address();
    return {
      port: typeof address === 'object' && address !== null ? address.port : 0,
      drop: async () => {
        const clients = (
          broker as unknown as { clients: Record<string, { conn: { destroy(): void } }> }
        ).clients;
        for (const connected of Object.values(clients)) connected.conn.destroy();
      },
    };
  });
});

describeWith(mosquitto, 'a client of a real broker, MQTT 5', () => {
  brokerContract(workspace, () => startMosquitto(workspace));
});
