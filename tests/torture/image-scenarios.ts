/** What happens beside the rest where images of the gateway's disk are put back. */
import { systemClock } from '../../shared/runtime/clock.ts';
import type { DiskImages } from './disk-images.ts';
import type { Weather } from './hq-line.ts';
import type { Scenario } from './scenarios.ts';

const clock = systemClock;
/** Weather that a gateway meets whose disk has just become an older one. */
const first_weathers: readonly Weather[] = ['fair', 'fair', 'cut', 'slow', 'lying', 'repeating'];
/** Of the usual kills and power cuts, see scenarios.ts. */
const usual_weight = 17;
/** Of a line that is away: enough for a small buffer to come to its quota. */
const outage_factor = 20;

/** @param asked so many kills and power cuts in all, so many of them with an image. */
export function imageScenarios(
  images: DiskImages,
  asked: { readonly runs: number; readonly images?: number | undefined },
  random: () => number,
): Scenario[] {
  const { runs, images: times = 0 } = asked;
  const weight = (usual_weight * times) / Math.max(1, runs - times);
  return [
    {
      name: 'image of the disk taken',
      weight: 1.5 * weight,
      kind: 'other',
      happen: () => images.take(),
    },
    {
      name: 'image put back',
      weight,
      kind: 'kill',
      times,
      async happen(store, pause_ms) {
        const weather = first_weathers[Math.floor(random() * first_weathers.length)] ?? 'fair';
        await images.putBack();
        store.line?.become(weather);
        await store.startGateway();
        // It counts for a while before it hears from HQ, or does not.
        await clock.sleep(pause_ms * 4);
        store.line?.become('fair');
      },
    },
    {
      name: 'long outage',
      weight: 8,
      kind: 'other',
      async happen(store, pause_ms) {
        store.line?.become('cut');
        await clock.sleep(pause_ms * outage_factor);
        store.line?.become('fair');
      },
    },
  ];
}
