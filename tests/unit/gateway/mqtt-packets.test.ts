import fc from 'fast-check';
import { generate } from 'mqtt-packet';
import { expect, test } from 'vitest';
import {
  MalformedPacket,
  PacketSplitter,
  readPublish,
} from '../../../gateway/sources/mqtt-packets.ts';

interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1 | 2;
  readonly messageId: number;
}

const message: fc.Arbitrary<Message> = fc.record({
  topic: fc.stringMatching(/^[a-zæ/0-9]{1,40}$/),
  payload: fc.uint8Array({ maxLength: 400 }),
  qos: fc.constantFrom(0, 1, 2),
  messageId: fc.integer({ min: 1, max: 65_535 }),
});

const written = ({ topic, payload, qos, messageId }: Message, protocolVersion: 4 | 5) =>
  generate(
    {
      cmd: 'publish',
      topic,
      payload: Buffer.from(payload),
      qos,
      messageId,
      dup: false,
      retain: false,
    },
    { protocolVersion },
  );

/** What comes out of bytes that arrive in pieces of these sizes. */
function split(bytes: Buffer, sizes: readonly number[], protocol: number) {
  const found: object[] = [];
  const splitter = new PacketSplitter(
    (header, held, start, end) => {
      const { topic, qos, message_id, payload } = readPublish(header, held, start, end, protocol);
      found.push({ topic, qos, message_id, payload: payload.toString('hex') });
    },
    (_header, head, length) => found.push({ head: head.length, length }),
  );
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    splitter.push(bytes.subarray(at, at + size));
    at += size;
  }
  return found;
}

test.each([4, 5] as const)(
  'MQTT %i: messages come out whole, in whatever pieces they arrive',
  (version) => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 12 }),
        fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 60 }),
        (messages, sizes) => {
          const bytes = Buffer.concat(messages.map((each) => written(each, version)));
          expect(split(bytes, sizes, version)).toEqual(
            messages.map(({ topic, qos, messageId, payload }) => ({
              topic,
              qos,
              message_id: qos === 0 ? undefined : messageId,
              payload: Buffer.from(payload).toString('hex'),
            })),
          );
        },
      ),
    );
  },
);

test('of a packet of three megabytes the head is held, and the next one is read', () => {
  const long = { topic: 'a', payload: new Uint8Array(3_000_000), qos: 1, messageId: 1 } as const;
  const next = { topic: 'b', payload: new Uint8Array(1), qos: 1, messageId: 2 } as const;
  const bytes = Buffer.concat([written(long, 4), written(next, 4)]);
  const inPieces = Array.from({ length: 60 }, () => 65_536);
  for (const sizes of [[], inPieces]) {
    expect(split(bytes, sizes, 4)).toEqual([
      { head: 131_072, length: 3_000_005 },
      { topic: 'b', qos: 1, message_id: 2, payload: '00' },
    ]);
  }
});

test.each([
  ['a length of five bytes', '30ffffffff01'],
  ['a topic that is longer than its packet', '3003000561'],
  ['a message id of 0', '3205000161' + '0000'],
  ['QoS 3', '3605000161' + '0001'],
  ['a topic with a wildcard', '3003000123'],
  ['no topic', '30020000'],
])('%s ends the connection', (_what, hex) => {
  expect(() => split(Buffer.from(hex, 'hex'), [], 4)).toThrow(MalformedPacket);
});
