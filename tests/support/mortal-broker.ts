/** A broker that notes what is published, withholds acknowledgements, and can die as if killed. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';

export interface Heard {
  readonly topic: string;
  readonly message: Record<string, unknown>;
}

export class MortalBroker {
  readonly heard: Heard[] = [];
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  port = 0;
  /** While false, publishes are heard but never acknowledged. */
  isAcknowledging = true;

  async start(): Promise<void> {
    const broker = await Aedes.createBroker();
    broker.authorizePublish = (_client, packet, done) => {
      this.heard.push({ topic: packet.topic, message: JSON.parse(packet.payload.toString()) });
      if (this.isAcknowledging) done(null);
    };
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      broker.handle(socket);
    });
    this.#server.listen(this.port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.port = (this.#server.address() as AddressInfo).port;
  }

  async die(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server?.close();
    if (this.#server !== undefined) await once(this.#server, 'close');
    this.#server = undefined;
  }
}
