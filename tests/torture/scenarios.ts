/** What happens to a store under torture, and how often one thing happens beside another. */
import { systemClock } from '../../shared/runtime/clock.ts';
import type { Weather } from './hq-line.ts';
import type { StoreUnderTorture } from './store-under-torture.ts';

const clock = systemClock;
/** Of a virtual machine that is moved, or a disk that answers late: devices give up waiting meanwhile. */
const standstill_factor = 20;

export interface Scenario {
  readonly name: string;
  readonly weight: number;
  readonly kind: 'kill' | 'power_cut' | 'other';
  readonly needs?: 'broker' | 'clock';
  /** Not more often, and no less. */
  readonly times?: number;
  readonly happen: (store: StoreUnderTorture, pause_ms: number) => Promise<void>;
}

const scenarios: readonly Scenario[] = [
  {
    name: 'gateway killed',
    weight: 6,
    kind: 'kill',
    async happen(store) {
      await store.killGateway();
      await store.startGateway();
    },
  },
  {
    name: 'power cut',
    weight: 5,
    kind: 'power_cut',
    async happen(store) {
      await store.killGateway();
      store.disk.cutPower();
      await store.startGateway();
    },
  },
  {
    name: 'HQ killed',
    weight: 3,
    kind: 'kill',
    async happen(store, pause_ms) {
      await store.killHq();
      await clock.sleep(pause_ms);
      await store.startHq();
    },
  },
  {
    name: 'database killed',
    weight: 1,
    kind: 'kill',
    async happen(store) {
      store.killDatabase();
      await store.reviveHq();
    },
  },
  {
    name: 'broker killed',
    weight: 2,
    kind: 'kill',
    needs: 'broker',
    async happen(store, pause_ms) {
      await store.killBroker();
      await clock.sleep(pause_ms);
      await store.startBroker();
    },
  },
  weather('line cut', 3, 'cut'),
  weather('slow HQ', 1, 'slow'),
  weather('wrong answers', 3, 'lying'),
  weather('requests doubled', 2, 'repeating'),
  {
    name: 'line half-open',
    weight: 2,
    kind: 'other',
    async happen(store) {
      store.line?.fallSilent();
    },
  },
  {
    name: 'old requests delivered again',
    weight: 2,
    kind: 'other',
    async happen(store) {
      await store.line?.deliverAgain();
    },
  },
  {
    name: 'clock jumped',
    weight: 3,
    kind: 'other',
    needs: 'clock',
    async happen(store) {
      store.clock.jump();
    },
  },
  {
    name: 'gateway stood still',
    weight: 1,
    kind: 'other',
    happen: (store, pause_ms) => store.whileFrozen(() => clock.sleep(pause_ms * standstill_factor)),
  },
  {
    name: 'disk full',
    weight: 1,
    kind: 'other',
    async happen(store, pause_ms) {
      store.disk.become('full');
      await clock.sleep(pause_ms);
      store.disk.become('normal');
    },
  },
  {
    name: 'disk failing',
    weight: 1,
    kind: 'other',
    async happen(store, pause_ms) {
      store.disk.become('failing');
      await clock.sleep(pause_ms);
      store.disk.become('normal');
    },
  },
];

/**
 * As often as they stand above, or with so many kills to a power cut.
 *
 * @param kills_per_cut undefined: as above.
 */
export function weighted(kills_per_cut: number | undefined): readonly Scenario[] {
  if (kills_per_cut === undefined) return scenarios;
  const of = (kind: Scenario['kind']) =>
    scenarios.reduce((sum, one) => (one.kind === kind ? sum + one.weight : sum), 0);
  const factor = of('kill') / kills_per_cut / of('power_cut');
  return scenarios.map((one) =>
    one.kind === 'power_cut' ? { ...one, weight: one.weight * factor } : one,
  );
}

/** A fault of the line that lasts for a while. */
function weather(name: string, weight: number, weather: Weather): Scenario {
  return {
    name,
    weight,
    kind: 'other',
    async happen(store, pause_ms) {
      store.line?.become(weather);
      await clock.sleep(pause_ms);
      store.line?.become('fair');
    },
  };
}
