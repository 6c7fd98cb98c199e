/**
 * The same bad line, read by modbus-serial in real time, RTU over TCP: what the gateway would count
 * if it believed that client.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import modbusSerial from 'modbus-serial';
import { systemClock } from '../../shared/runtime/clock.ts';
import { isRight, pollsOf, units } from './rtu.ts';
import { deliveriesOf, fates } from './rtu-fates.ts';
import { seeded } from './seeded.ts';

const patience = { timeout_ms: 20, late_ms: 60 };

export interface BesideResult {
  readonly answers: number;
  readonly values: number;
  readonly wrong: number;
}

export async function tortureModbusSerial(answers: number, seed: number): Promise<BesideResult> {
  const random = seeded(seed);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const question = {
        unit: bytes.readUInt8(0),
        function: bytes.readUInt8(1) === 3 ? 3 : 4,
        start: bytes.readUInt16BE(2),
        count: bytes.readUInt16BE(4),
      } as const;
      const fate = random.next() < 0.35 ? 'good' : random.pick(fates);
      for (const piece of deliveriesOf(fate, question, units, patience, random)) {
        systemClock.after(piece.after_ms, () => socket.write(piece.bytes));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  const client = new modbusSerial.default();
  await client.linkTelnet(socket, {});
  client.setTimeout(patience.timeout_ms);
  const polls = pollsOf(0);
  const seen = { answers: 0, values: 0, wrong: 0 };
  for (; seen.answers < answers; seen.answers += 1) {
    const poll = polls[seen.answers % polls.length];
    if (poll === undefined) break;
    client.setID(poll.unit);
    try {
      const { buffer } =
        poll.function === 3
          ? await client.readHoldingRegisters(poll.start, poll.count)
          : await client.readInputRegisters(poll.start, poll.count);
      seen.values += 1;
      if (!isRight({ address: poll.address, bytes: buffer })) seen.wrong += 1;
    } catch {
      // No value: timeouts, exceptions and what it sees to be damaged.
    }
  }
  socket.destroy();
  server.close();
  return seen;
}
