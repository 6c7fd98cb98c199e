/** A TCP line between the gateways and HQ that can be cut and mended. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CuttableLink {
  /** Where gateways connect, on 127.0.0.1. */
  readonly port: number;
  /** Breaks what is connected and lets nobody through. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

/** @param target_port where HQ listens, on 127.0.0.1. */
export async function openCuttableLink(target_port: number): Promise<CuttableLink> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(target_port, '127.0.0.1');
    join(near, far, sockets);
    join(far, near, sockets);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    mend: () => {
      isCut = false;
    },
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

function join(from: Socket, to: Socket, sockets: Set<Socket>): void {
  sockets.add(from);
  from.on('error', () => {});
  from.on('close', () => {
    sockets.delete(from);
    to.destroy();
  });
  from.pipe(to);
}
