import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { inflateBody, receiveBody } from '../../../cloud-sync/http/body.ts';

const limits = { bytes_max: 1_000, inflated_bytes_max: 5_000 };

async function read(chunks: Buffer[], encoding?: string, length?: string): Promise<Buffer> {
  const sent = await receiveBody(Readable.from(chunks), { encoding, length }, limits);
  return inflateBody(sent, limits);
}

describe('a request body', () => {
  it('is read as it is, and inflated in whatever pieces it comes', async () => {
    const text = Buffer.from('people '.repeat(500));
    expect(await read([Buffer.from('a'), Buffer.from('b')])).toEqual(Buffer.from('ab'));
    const bytes = [...gzipSync(text)].map((byte) => Buffer.from([byte]));
    expect(await read(bytes, 'gzip')).toEqual(text);
  });

  it('is refused by the length it announces, before a byte is read', async () => {
    const untouched = new Readable({
      read() {
        throw new Error('was read');
      },
    });
    const reading = receiveBody(untouched, { encoding: undefined, length: '1001' }, limits);
    await expect(reading).rejects.toMatchObject({ code: 'body_too_large' });
  });

  it('is refused at the limit of what is sent, whatever it announced', async () => {
    const chunk = Buffer.alloc(600);
    await expect(read([chunk, chunk], undefined, '10')).rejects.toMatchObject({
      code: 'body_too_large',
    });
  });

  it('is refused at the limit of what it inflates to', async () => {
    await expect(read([gzipSync(Buffer.alloc(5_001))], 'gzip')).rejects.toMatchObject({
      code: 'body_too_large',
      detail: 'the limit is 5000 bytes',
    });
    expect(await read([gzipSync(Buffer.alloc(5_000))], 'gzip')).toHaveLength(5_000);
  });

  it('is refused when it is cut short, empty or not gzip', async () => {
    const whole = gzipSync('{}');
    for (const chunks of [
      [whole.subarray(0, 8)],
      [whole.subarray(0, -1)],
      [],
      [Buffer.from('{}')],
    ]) {
      await expect(read(chunks, 'gzip')).rejects.toMatchObject({ code: 'body_malformed' });
    }
  });

  it('is refused in an encoding that is not offered', async () => {
    await expect(read([], 'br')).rejects.toMatchObject({ code: 'encoding_unsupported' });
  });
});
