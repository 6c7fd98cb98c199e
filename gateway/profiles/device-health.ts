/** What a decoded message says about its device: batteries and faults. Pure. */
import type { HealthMapping } from './mapping-schema.ts';
import type { DeviceHealth } from './measure.ts';
import { eachItem, getter, type Scope } from './path.ts';
import { holding } from './read-records.ts';

/** @returns null where the message says nothing about it. */
export type HealthReader = (message: Scope) => DeviceHealth | null;

export function healthReader({ battery_pct, faults }: HealthMapping): HealthReader {
  const batteries = battery_pct.map(getter);
  const tests = faults.map((mapped) => {
    const told = holding(mapped.where);
    const holds = holding(mapped.holds ?? mapped.unless ?? []);
    const items = mapped.each === undefined ? null : eachItem(mapped.each);
    return { name: mapped.fault, negated: mapped.holds === undefined, told, holds, items };
  });
  return (message) => {
    const charge = lowest(batteries.map((get) => get(message)));
    let found: Record<string, boolean> | null = null;
    for (const { name, negated, told, holds, items } of tests) {
      for (const item of items === null ? [message] : (items(message) ?? [])) {
        if (told(item) !== null) continue;
        found ??= {};
        found[name] = (holds(item) === null) !== negated;
      }
    }
    if (charge === null && found === null) return null;
    return {
      ...(charge === null ? {} : { battery_pct: charge }),
      ...(found === null ? {} : { faults: found }),
    };
  };
}

/** What several messages of one frame say together: the later word counts. */
export function joined(
  before: DeviceHealth | null,
  after: DeviceHealth | null,
): DeviceHealth | null {
  if (before === null || after === null) return after ?? before;
  const faults = { ...before.faults, ...after.faults };
  return { ...before, ...after, ...(Object.keys(faults).length === 0 ? {} : { faults }) };
}

/** What a network server knows of the battery, which devices tell it beside their own messages. */
export function healthOfNetwork(battery_pct: unknown): DeviceHealth | null {
  const charge = lowest([battery_pct]);
  return charge === null ? null : { battery_pct: charge };
}

/** LoRaWAN says 255 where a device does not know. */
function lowest(values: readonly unknown[]): number | null {
  const known = values.filter(
    (value): value is number => typeof value === 'number' && value >= 0 && value <= 100,
  );
  return known.length === 0 ? null : Math.min(...known);
}
