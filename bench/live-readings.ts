/** A sensor that goes on counting while a backlog drains: how long until HQ has what it says. */
import { systemClock } from '../shared/runtime/clock.ts';
import type { Headquarters } from './headquarters.ts';

const clock = systemClock;
const live_every_ms = 100;

/** When each reading was on the gateway's disk, in the order of its log. */
export async function sendLive(port: number, stopped: AbortSignal): Promise<number[]> {
  const sent: number[] = [];
  while (!stopped.aborted) {
    const from = clock.now();
    const body = { id: `live-${from}`, from: iso(from), to: iso(from + 1), in: 1, out: 0 };
    const answer = await fetch(`http://127.0.0.1:${port}/live`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (answer.status !== 200) throw new Error(`the gateway answered ${answer.status}`);
    sent.push(clock.monotonic());
    await clock.sleep(live_every_ms, stopped);
  }
  return sent;
}

/** Looks ten times a second. @returns a function that waits for the rest and gives delays, s. */
export function watchLive(
  hq: Headquarters,
  store_id: string,
  { since, stopped }: { since: number; stopped: AbortSignal },
) {
  const arrived = new Map<number, number>();
  const look = async () => {
    const rows = await hq.asOwner<{ sequence: number }>(
      `select gateway_sequence::float8 as sequence from public.people_counting_raw
       where organization_id = $1 and store_id = $2
         and "timestamp" >= to_timestamp($3::float8 / 1000) and sensor_id = 'live'`,
      [hq.organization_id, store_id, since - 1_000],
    );
    const now = clock.monotonic();
    for (const { sequence } of rows) if (!arrived.has(sequence)) arrived.set(sequence, now);
  };
  const watching = (async () => {
    while (!stopped.aborted) {
      await look();
      await clock.sleep(100, stopped);
    }
  })();
  return async (sent: readonly number[]): Promise<number[]> => {
    await watching;
    while (arrived.size < sent.length) {
      await look();
      await clock.sleep(100);
    }
    const inOrder = [...arrived].sort(([a], [b]) => a - b).map(([, at]) => at);
    return sent.map((at, i) => ((inOrder[i] ?? Number.NaN) - at) / 1000);
  };
}

function iso(instant: number): string {
  return new Date(instant).toISOString();
}
