/** What a meter still knows when another device, or the same one turned round, counts for its sensor. */
import type { MeterState } from './meter.ts';

/**
 * Totals are those of one device, mounted one way: against another's, the difference would be people
 * who never walked. What was counted and waits for its reading stays, and so does every start.
 *
 * @param device names device and direction; changes when either does.
 */
export function forDevice(state: MeterState, device: string): MeterState {
  // A state written before devices had names is that of the device that is there.
  if (state.device === device) return state;
  if (state.device === undefined) return { ...state, device };
  const { since, pending, starts } = state;
  return { totals: { in: null, out: null }, since, pending, starts, device };
}
