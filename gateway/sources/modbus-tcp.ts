/**
 * Modbus TCP, by modbus-serial. After a request without an answer the connection is dropped:
 * modbus-serial, left alone, took the late answer to one request for the answer to the next (asked
 * for register B it gave A's 111, the truth was 222), and without a timeout of its own it waits for
 * a silent unit for ever.
 */
import type { Socket } from 'node:net';
import modbusSerial from 'modbus-serial';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { ModbusBlock } from './modbus-blocks.ts';
import {
  askedText,
  type ModbusBus,
  type ModbusLink,
  type Outcome,
  reconnect,
} from './modbus-link.ts';
import { connectedSocket } from './tcp-socket.ts';

type Client = InstanceType<typeof modbusSerial.default>;

export function modbusTcpBus(host: string, port: number, clock: Clock): ModbusBus {
  return {
    by_length: false,
    drops_on_silence: true,
    reopen: reconnect,
    // Behind a TCP-to-serial converter a late answer may still be on the line; it passes meanwhile.
    quarantine_ms: 500,
    open: async (stop) => {
      const { socket, lost } = await connectedSocket(host, port, clock, stop);
      const client: Client = new modbusSerial.default();
      await client.linkTCP(socket, { port });
      return linkOf(client, socket, lost);
    },
  };
}

function linkOf(client: Client, socket: Socket, lost: AbortSignal): ModbusLink {
  return {
    lost,
    ask: (block) => ask(client, block),
    close: async () => {
      socket.destroy();
    },
  };
}

async function ask(client: Client, block: ModbusBlock): Promise<Outcome> {
  client.setID(block.unit);
  client.setTimeout(block.timeout_ms);
  try {
    const { buffer } =
      block.function === 3
        ? await client.readHoldingRegisters(block.start, block.count)
        : await client.readInputRegisters(block.start, block.count);
    return { kind: 'answer', bytes: new Uint8Array(buffer) };
  } catch (error) {
    // modbus-serial throws objects that are no Errors, with these three fields.
    const { modbusCode, errno, message } = error as Record<string, unknown>;
    const asked = askedText(block);
    if (typeof modbusCode === 'number') {
      return { kind: 'exception', exception: modbusCode, detail: `${message} (${asked})` };
    }
    const why = errno === 'ETIMEDOUT' ? `no answer within ${block.timeout_ms} ms` : message;
    return { kind: 'silence', detail: `${why} (${asked})` };
  }
}
