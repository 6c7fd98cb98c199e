/**
 * Asks a serial line in one way after the other who is there: the devices that profiles know, and
 * Modbus at the speeds of the field. Only on a port that no source has open: two owners of a line
 * take each other's answers.
 */
import { realpathSync, statSync } from 'node:fs';
import { z } from 'zod';
import type { Clock } from '../../shared/runtime/clock.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { type Catalogue, profileNamed } from '../profiles/catalogue.ts';
import { decode } from '../profiles/decode.ts';
import type { Profile } from '../profiles/profile.ts';
import type { Frame, SourceStatus } from '../sources/source.ts';
import { readsText, scanBus, type UnitFound } from './bus-scan.ts';
import { serialWork } from './polling.ts';
import { unitAddress } from './sensor.ts';

const modbusWay = z.object({
  baud: z.number().int().min(300).max(1_000_000),
  parity: z.enum(['none', 'even', 'odd']),
});
const waySchema = z.union([z.object({ profile: z.string() }), modbusWay]);
export type LineWay = z.infer<typeof waySchema>;

export const lineRequestSchema = z.object({
  path: z.string().startsWith('/'),
  way: waySchema,
  units: z.array(z.number().int().min(0).max(247)).max(32),
});
export type LineRequest = z.infer<typeof lineRequestSchema>;

/** As devices leave the factory, the most usual first. */
const modbusWays: readonly LineWay[] = [9600, 19_200, 38_400, 115_200, 4800].flatMap((baud) =>
  (['none', 'even', 'odd'] as const).map((parity) => ({ baud, parity })),
);

/** A device that speaks unasked does so at least this often, or is found by its silence. */
const listen_ms = 5_000;
const look_every_ms = 50;

/** Every way in which a line can be asked. */
export function lineWays(catalogue: Catalogue): LineWay[] {
  const spoken = [...catalogue.values()].filter(({ serial }) => serial !== undefined);
  return [...spoken.map(({ name }) => ({ profile: name })), ...modbusWays];
}

export async function probeLine(
  { path, way, units }: LineRequest,
  { catalogue, clock }: { catalogue: Catalogue; clock: Clock },
): Promise<UnitFound[]> {
  assertLine(path);
  if ('profile' in way) {
    return spokenTo(path, profileNamed(catalogue, way.profile), units, clock);
  }
  const { ModbusSource } = await import('../sources/modbus.ts');
  const { modbusRtuBus } = await import('../sources/modbus-rtu.ts');
  const bus = modbusRtuBus(path, { ...way, data_bits: 8, stop_bits: 1 }, clock);
  const accept = async () => {};
  const source = new ModbusSource({ name: path, bus, accept, clock, log: silentLog });
  await source.start();
  try {
    const found = await scanBus(
      source,
      units.filter((unit) => unit > 0),
      catalogue,
    );
    assertOpen(path, source.status());
    return found;
  } finally {
    await source.stop();
  }
}

/** As the source of such a line would, with nothing stored. */
async function spokenTo(
  path: string,
  profile: Profile,
  units: readonly number[],
  clock: Clock,
): Promise<UnitFound[]> {
  const found = new Map<number | null, UnitFound>();
  const accept = async ({ address, bytes, fault }: Frame) => {
    const decoded = fault === undefined ? decode(profile, bytes) : null;
    if (decoded?.outcome !== 'records' || decoded.records.length === 0) return;
    const asked = units.find((unit) => unitAddress(unit) === address) ?? null;
    const unit = decoded.unit ?? asked;
    found.set(unit, { unit, candidates: [{ profile: profile.name, reads: readsText(decoded) }] });
  };
  const { SerialSource } = await import('../sources/serial.ts');
  const source = new SerialSource({ name: path, path, accept, clock, log: silentLog });
  const at = (unit: number) => ({ sensor: { unit }, profile, address: unitAddress(unit) });
  source.setWork(serialWork(units.map(at)));
  await source.start();
  try {
    const until = clock.monotonic() + listen_ms + units.length * 1_000;
    for (let isDone = false; !isDone && clock.monotonic() < until; ) {
      await clock.sleep(look_every_ms);
      const status = source.status();
      assertOpen(path, status);
      const { poll } = profile.serial ?? {};
      isDone =
        poll === undefined
          ? found.size > 0
          : status.units.every(({ state }) => state !== 'unasked');
    }
    return [...found.values()];
  } finally {
    await source.stop();
  }
}

function assertLine(path: string): void {
  let isLine = false;
  try {
    isLine = statSync(realpathSync(path)).isCharacterDevice();
  } catch {
    // Told below.
  }
  if (!isLine) throw new FootbridgeError('usage', `${path} is no serial port`);
}

/** A unit that was asked proves that the port is open, whatever came of it. */
function assertOpen(path: string, { error, units }: SourceStatus): void {
  if (error === null || units.some(({ state }) => state !== 'unasked')) return;
  throw new FootbridgeError('source_unavailable', `${path}: ${error}`);
}
