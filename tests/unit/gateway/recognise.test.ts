import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { recognise } from '../../../gateway/pairing/recognise.ts';
import { loadCatalogue, profileNamed } from '../../../gateway/profiles/catalogue.ts';
import { ScriptSandbox } from '../../../gateway/profiles/script-sandbox.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';

const root = new URL('../../../../', import.meta.url);
const catalogue = loadCatalogue([fileURLToPath(new URL('gateway/profiles/built-in', root))]);
const cases = fileURLToPath(new URL('tests/cases', root));
const sandbox = new ScriptSandbox(systemClock);
afterAll(() => sandbox.close());

interface Case {
  readonly profile: string;
  readonly port?: number;
  readonly payload: { readonly json?: unknown; readonly hex?: string; readonly text?: string };
  readonly expected: { readonly records?: unknown[] };
}

/** Messages of real devices that carry people, as MQTT or HTTP brings them. */
const messages = readdirSync(cases, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\/frame-[^/]+\.json$/.test(name))
  .map((name): [string, Case] => [name, JSON.parse(readFileSync(`${cases}/${name}`, 'utf8'))])
  .filter(([, { profile, port, expected }]) => {
    const { transport } = profileNamed(catalogue, profile);
    return ['mqtt', 'http'].includes(transport) && port === undefined && expected.records;
  });

function candidatesOf({ payload }: Case) {
  const text = payload.text ?? JSON.stringify(payload.json);
  const bytes = payload.hex === undefined ? Buffer.from(text) : Buffer.from(payload.hex, 'hex');
  return recognise([bytes], ['mqtt', 'http'], catalogue, sandbox.run);
}

test.each(messages)(
  '%s: its own profile comes first, or beside its equals',
  async (_name, each) => {
    const { candidates, sureness } = await candidatesOf(each);
    const own = candidates.find(({ profile }) => profile === each.profile);
    expect(candidates.map(({ profile, score }) => [profile, score])).toContainEqual([
      each.profile,
      own?.score,
    ]);
    expect(own?.score).toBe(candidates[0]?.score);
    if (sureness !== 'unsure') expect(candidates[0]?.profile).toBe(each.profile);
  },
);

test('noise is nobody’s', async () => {
  const noise = [Buffer.from('{"battery": 97}'), Buffer.from([1, 2, 3]), Buffer.from('<a/>')];
  const { sureness } = await recognise(noise, ['mqtt'], catalogue, sandbox.run);
  expect(sureness).toBe('unknown');
});

test('the general profiles are told apart by what they need', async () => {
  const of = async (payload: object) => {
    const frames = [Buffer.from(JSON.stringify(payload))];
    const { candidates } = await recognise(frames, ['mqtt'], catalogue, sandbox.run);
    return candidates[0]?.profile;
  };
  const time = '2026-03-01T10:00:00Z';
  const interval = { id: 1, from: time, to: '2026-03-01T10:01:00Z', in: 3, out: 1 };
  expect(await of({ in: 15210, out: 15187 })).toBe('json-total');
  expect(await of(interval)).toBe('json-interval');
  expect(await of({ id: 7, time, direction: 'in' })).toBe('json-crossing');
});
