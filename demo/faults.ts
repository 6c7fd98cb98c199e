/** What goes wrong during a run, and when. */

import type { CuttableLink } from './cuttable-link.ts';
import type { Store } from './store.ts';

export interface Fault {
  /** Part of the cycle that has passed, 0 to 1. */
  readonly at: number;
  readonly text: string;
  readonly happen: () => Promise<void> | void;
}

/** The faults of one cycle, in order. */
export function faultsOf(link: CuttableLink, stores: readonly Store[]): Fault[] {
  const [first, , last] = stores;
  return [
    { at: 0.2, text: 'the link to HQ is cut', happen: () => link.cut() },
    { at: 0.3, text: 'a gateway is killed while HQ is away', happen: () => first?.killGateway() },
    { at: 0.33, text: 'the killed gateway is started again', happen: () => first?.startGateway() },
    { at: 0.42, text: 'the link to HQ is mended', happen: () => link.mend() },
    {
      at: 0.55,
      text: 'every MQTT sensor sends its next message twice',
      happen: () => {
        for (const store of stores) store.sendTwice();
      },
    },
    { at: 0.65, text: 'a gateway is killed', happen: () => last?.killGateway() },
    { at: 0.68, text: 'the killed gateway is started again', happen: () => last?.startGateway() },
  ];
}
