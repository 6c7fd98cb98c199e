/** Real frames of devices with the profiles that read them, for whatever runs every codec. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadCatalogue, profileNamed } from '../gateway/profiles/catalogue.ts';
import { type Profile, profileSchema } from '../gateway/profiles/profile.ts';
import { Framer } from '../gateway/sources/framer.ts';

const root = new URL('../../', import.meta.url);

export interface Subject {
  readonly profile: Profile;
  readonly frames: readonly { readonly bytes: Uint8Array; readonly port: number | undefined }[];
}

/** The frames of tests/cases, by profile. */
export function subjects(): Subject[] {
  const catalogue = loadCatalogue([fileURLToPath(new URL('gateway/profiles/built-in', root))]);
  const cases = fileURLToPath(new URL('tests/cases', root));
  const found = readdirSync(cases).flatMap((name) => {
    const files = readdirSync(`${cases}/${name}`).filter((file) => file.startsWith('frame-'));
    if (files.length === 0) return [];
    const profile = profileNamed(catalogue, name);
    const frames = files.map((file) => {
      const { payload, port } = JSON.parse(readFileSync(`${cases}/${name}/${file}`, 'utf8'));
      const bytes = deviceBytes(profile, payload);
      return { bytes, port };
    });
    return [{ profile, frames }];
  });
  return [...found, ...constructed()];
}

/** Codecs that no built-in profile uses: the same two counts in each form. */
function constructed(): Subject[] {
  const measures = ['in', 'out'].map((target) => {
    return { target, path: `row.${target}`, semantics: 'cumulative', width: 32 };
  });
  const of = (name: string, codec: object, text: string, mapping: object = { measures }) => ({
    profile: profileSchema.parse({ name, title: name, transport: 'mqtt', codec, mapping }),
    frames: [{ bytes: Buffer.from(text), port: undefined }],
  });
  const row = { target: 'in', path: 'in', semantics: 'cumulative', width: 32 };
  const source = `function decodeUplink(input) {
    return { data: { row: { in: input.bytes[0], out: input.bytes[1] } } };
  }`;
  return [
    of(
      'xml-totals',
      { kind: 'xml' },
      '<a xmlns="urn:x"><row id="1"><in>5</in><out>7</out></row></a>',
      {
        measures: measures.map((each) => ({ ...each, path: `a.${each.path}` })),
      },
    ),
    of('csv-totals', { kind: 'csv' }, 'door,in,out\nnorth,5,7\nsouth,6,8\n', {
      records: [{ each: 'rows[]', element: '{door}', measures: [row] }],
    }),
    of('script-totals', { kind: 'script', file: 'x.js', source }, 'ab'),
  ];
}

/** What a source hands on: without the line's framing, the registers without the answer's head. */
function deviceBytes(
  profile: Profile,
  payload: { readonly hex?: string; readonly text?: string; readonly json?: unknown },
): Uint8Array {
  const { hex, text, json } = payload;
  const bytes =
    hex === undefined ? Buffer.from(text ?? JSON.stringify(json)) : Buffer.from(hex, 'hex');
  if (profile.modbus !== undefined) return bytes.subarray(3);
  const [frame] =
    profile.serial === undefined ? [] : new Framer(profile.serial.framing).push(bytes);
  return frame?.bytes ?? bytes;
}
