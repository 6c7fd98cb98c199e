/** What could be paired: devices that speak and are nobody's yet, each with the profile that fits. */
import type { SourceConfig } from '../config/config.ts';
import type { Catalogue } from '../profiles/catalogue.ts';
import type { RunScript } from '../profiles/measure.ts';
import { slug } from '../profiles/slug.ts';
import { transportsOf } from './polling.ts';
import { type Recognised, recognise } from './recognise.ts';
import { deviceAddress } from './sensor.ts';
import type { SensorRegistry } from './sensor-registry.ts';
import type { Stranger, Strangers } from './strangers.ts';

export interface Found extends Recognised {
  readonly source: string;
  readonly address: string;
  /** What the device calls itself, where several share the address; else null. */
  readonly device: string | null;
  readonly messages: number;
  /** ms since the epoch. */
  readonly last_at: number;
  /** A name that no sensor of this store has. */
  readonly sensor_id: string;
  /** What `sensor pair` takes behind the name; null where no profile reads the device. */
  readonly options: readonly string[] | null;
}

export interface DiscoveryParts {
  readonly sources: readonly SourceConfig[];
  readonly registry: SensorRegistry;
  readonly strangers: Strangers;
  readonly catalogue: Catalogue;
  readonly runScript: RunScript;
}

/** The surest first. */
export async function discovered(parts: DiscoveryParts): Promise<Found[]> {
  const taken = new Set(parts.registry.list().map(({ sensor }) => sensor.sensor_id));
  const order = ['sure', 'likely', 'unsure', 'unknown'];
  const found = await Promise.all(parts.strangers.list().map((each) => recognised(parts, each)));
  return found
    .flat()
    .sort((a, b) => order.indexOf(a.sureness) - order.indexOf(b.sureness))
    .map((one) => ({ ...one, sensor_id: freeName(one, taken) }));
}

type Unnamed = Omit<Found, 'sensor_id'>;

async function recognised(parts: DiscoveryParts, stranger: Stranger): Promise<Unnamed[]> {
  const { sources, registry, catalogue, runScript } = parts;
  const { source, address, messages, last_at, frames } = stranger;
  const config = sources.find(({ name }) => name === source);
  if (config === undefined || registry.at(source, address) !== undefined) return [];
  const seen = await recognise(frames, transportsOf[config.kind], catalogue, runScript);
  const [best] = seen.candidates;
  const found = { ...seen, source, address, messages, last_at };
  const isShared = registry.sharing(source, address) !== undefined;
  const devices = (best?.devices ?? []).filter(
    (device) => registry.at(source, deviceAddress(address, device)) === undefined,
  );
  // A name that a terminal would act on is for no command line.
  const isPlain = ![address, ...devices].some((text) => /\p{Cc}/u.test(text));
  if (best === undefined || !isPlain)
    return isShared ? [] : [{ ...found, device: null, options: null }];
  const where = config.kind === 'http-listen' ? '--path' : '--topic';
  const options = ['--source', source, '--profile', best.profile, where, address];
  if (!isShared && best.devices.length < 2) return [{ ...found, device: null, options }];
  return devices.map((device) => ({ ...found, device, options: [...options, '--device', device] }));
}

/** The last word of the address, or the device's own name; a number behind where it is taken. */
function freeName({ address, device }: Unnamed, taken: Set<string>): string {
  const word = device ?? address.split('/').filter(Boolean).at(-1) ?? 'sensor';
  const name = slug(word).slice(0, 40) || 'sensor';
  let free = name;
  for (let i = 2; taken.has(free); i++) free = `${name}-${i}`;
  taken.add(free);
  return free;
}
