/**
 * A plain MQTT broker as a process of its own, for the store whose gateway connects to a broker
 * that is already there. Says `{kind: 'ready', port}` when it listens.
 */
import { type AddressInfo, createServer } from 'node:net';
import { Aedes } from 'aedes';

export interface BrokerReady {
  readonly kind: 'ready';
  readonly port: number;
}

const broker = await Aedes.createBroker();
const server = createServer(broker.handle);
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ kind: 'ready', port } satisfies BrokerReady);
});
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
