import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  float4Array,
  int4Array,
  int8Array,
  timestampArray,
  wordArray,
} from '../../cloud-sync/ingest/binary-arrays.ts';
import { describeOnEngines, openTestDatabase, type TestDatabase } from '../support/postgres.ts';

describeOnEngines('a column as a binary array', (engine) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase(engine);
  });
  afterAll(() => database.close());

  /** What PostgreSQL makes of it. */
  const read = async (type: string, array: Buffer, element = 'v') => {
    const [row] = await database.asOwner<{ read: unknown[] | null }>(
      `select array_agg(${element} order by n) as read
       from unnest($1::${type}[]) with ordinality u (v, n)`,
      [array],
    );
    return row?.read ?? [];
  };
  const law = <T>(values: fc.Arbitrary<T[]>, isRead: (sent: T[]) => Promise<unknown[]>) =>
    fc.assert(
      fc.asyncProperty(values, async (sent) => {
        expect(await isRead(sent)).toEqual(sent);
      }),
      { numRuns: 30 },
    );
  /** JSON knows one zero. */
  const real = fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
  const int4 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

  it('of 32 bits says what was sent, nulls too', () =>
    law(fc.array(fc.option(int4)), (sent) => read('integer', int4Array(sent))));

  it('of 64 bits says every whole number that JSON can', () =>
    law(fc.array(fc.maxSafeInteger()), async (sent) =>
      (await read('bigint', int8Array(sent), 'v::text')).map(Number),
    ));

  it('of reals says what was sent, nulls too', () =>
    law(fc.array(fc.option(real)), (sent) => read('real', float4Array(sent), 'v::float8')));

  it('of instants says them to the millisecond, before and after 2000', () => {
    const instant = fc.integer({ min: -2_208_988_800_000, max: 4_102_444_800_000 });
    return law(fc.array(instant), async (sent) =>
      (await read('timestamptz', timestampArray(sent), 'extract(epoch from v)::text')).map(
        (seconds) => Math.round(Number(seconds) * 1000),
      ),
    );
  });

  it('of words says those that the places name, whatever letters they have', () => {
    const sent = fc.array(fc.string({ unit: 'binary', maxLength: 20 }).map(withoutNul), {
      minLength: 1,
    });
    return law(sent, (words) => read('text', wordArray([...words.keys()], words)));
  });
});

/** PostgreSQL stores no U+0000, which HQ refuses at the door; halves of pairs are no text. */
function withoutNul(text: string): string {
  return Buffer.from(text.replaceAll('\0', '')).toString();
}
