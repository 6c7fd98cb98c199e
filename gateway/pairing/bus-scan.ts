/**
 * Asks the units of a Modbus bus who is there, between the questions of the sensors. Registers have no
 * signature: who answers is certain, which profile fits is for a person to see by the numbers.
 */
import { z } from 'zod';
import type { Catalogue } from '../profiles/catalogue.ts';
import { decode } from '../profiles/decode.ts';
import type { Decoded } from '../profiles/measure.ts';
import type { Profile } from '../profiles/profile.ts';
import type { Asked, ModbusSource } from '../sources/modbus.ts';
import type { ModbusPoll } from '../sources/modbus-blocks.ts';

export interface UnitFound {
  /** Null: a device that has its line for itself and says no number. */
  readonly unit: number | null;
  /** Profiles whose registers the unit has, with what they read now. */
  readonly candidates: readonly { readonly profile: string; readonly reads: string }[];
}

/** A few units a request, so that who waits sees it go on. */
export const scanRequestSchema = z.object({
  source: z.string(),
  units: z.array(z.number().int().min(1).max(247)).max(16),
});

/** Units of the field answer within a tenth of that; a silent one must not hold up the bus. */
const probe_timeout_ms = 300;
/** Exceptions of a converter that found nobody behind it. */
const nobodyThere = new Set([10, 11]);

/** @param units none of them paired. */
export async function scanBus(
  source: Pick<ModbusSource, 'probe'>,
  units: readonly number[],
  catalogue: Catalogue,
): Promise<UnitFound[]> {
  const profiles = [...catalogue.values()].filter(({ modbus }) => modbus !== undefined);
  const found: UnitFound[] = [];
  for (const unit of units) {
    const candidates = await candidatesAt(source, unit, profiles);
    if (candidates !== null) found.push({ unit, candidates });
  }
  return found;
}

/** @returns null where nobody answers the first question. */
async function candidatesAt(
  source: Pick<ModbusSource, 'probe'>,
  unit: number,
  profiles: readonly Profile[],
): Promise<UnitFound['candidates'] | null> {
  const asked = new Map<string, Asked>();
  const candidates: { profile: string; reads: string }[] = [];
  for (const profile of profiles) {
    const poll = pollOf(profile, unit);
    if (poll === null) continue;
    const key = `${poll.function}/${poll.start}/${poll.count}`;
    const outcome = asked.get(key) ?? (await source.probe(poll));
    if (asked.size === 0 && isNobody(outcome)) return null;
    asked.set(key, outcome);
    const reads = outcome.kind === 'answer' ? readsOf(profile, outcome.bytes, poll.count) : null;
    if (reads !== null) candidates.push({ profile: profile.name, reads });
  }
  return candidates;
}

function isNobody(outcome: Asked): boolean {
  return (
    outcome.kind === 'silence' ||
    (outcome.kind === 'exception' && nobodyThere.has(outcome.exception))
  );
}

function pollOf({ modbus }: Profile, unit: number): ModbusPoll | null {
  if (modbus === undefined) return null;
  const { function: code, register: start, count } = modbus;
  const timing = { every_ms: 60_000, timeout_ms: probe_timeout_ms };
  return { address: `probe/${unit}`, unit, function: code, start, count, ...timing };
}

function readsOf(profile: Profile, bytes: Uint8Array, count: number): string | null {
  const decoded = decode(profile, bytes.subarray(0, 2 * count));
  if (decoded.outcome !== 'records') return null;
  return readsText(decoded);
}

/** Every number, for a person to compare with the display of the device. */
export function readsText({ records }: Extract<Decoded, { outcome: 'records' }>): string {
  const numbers = records.flatMap(({ measures }) =>
    measures.map(({ target, value }) => `${target} ${value}`),
  );
  return numbers.join(', ');
}
