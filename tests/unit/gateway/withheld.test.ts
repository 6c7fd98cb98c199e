import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withheld } from '../../../gateway/profiles/withheld.ts';

const kept = (bytes: Uint8Array | string) =>
  Buffer.from(withheld(Buffer.from(bytes), 4096)).toString('latin1');

test.each([
  ['a login', '{"username": "terabee", "password": "a\\"b", "in": 3}', /terabee|a\\"b/],
  [
    'a picture as text',
    `{"n": 1, "snapshot": "data:image/jpeg;base64,${'/9j/4AAQ'.repeat(99)}"}`,
    /9j/,
  ],
  ['one that is cut off', `{"n": 1, "snapshot": "${'/9j/4AAQ'.repeat(900)}`, /9j/],
  ['one under any name', `{"n": 1, "extra": "${'iVBORw0K'.repeat(99)}"}`, /iVBOR/],
  ['a SIM card', '{"network_info": {"imei": "869", "iccid": "8944"}, "in": 3}', /869|8944/],
  ['an age', '{"age": 34, "gender": "f", "in": 3}', /34|"f"/],
  ['a login in XML', '<a><n:Password x="1">hunter2</n:Password><in>3</in></a>', /hunter2/],
  ['a login in a form', 'in=3&password=hunter2&out=1', /hunter2/],
])('%s is not kept', (_what, message, secret) => {
  expect(message).toMatch(secret);
  expect(kept(message)).not.toMatch(secret);
  expect(kept(message)).toContain('dropped');
});

test('a picture among the bytes ends what is kept', () => {
  const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3]);
  expect(kept(Buffer.concat([Buffer.from('head '), jpeg]))).toBe('head (picture dropped)');
});

test('what tells why a frame could not be used stays as it came', () => {
  const hikvision =
    '<peopleCounting><enter>12</enter><exit>9</exit><pass>3</pass></peopleCounting>';
  for (const plain of ['{"id": 1, "from', '{"in": -1, "name": "door"}', hikvision]) {
    expect(kept(plain)).toBe(plain);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      fc.pre(!/\xff\xd8\xff|[=:<]/.test(Buffer.from(bytes).toString('latin1')));
      expect(withheld(bytes, 4096)).toEqual(new Uint8Array(bytes));
    }),
  );
});
