/** One look at an organization: observe, judge, and move every episode by one step. */
import type { Database, Transaction } from '../db/pool.ts';
import type { Judgement } from './alert-rules.ts';
import { judgeSilence } from './alert-rules.ts';
import type { Seen } from './alert-states.ts';
import { nextState } from './alert-states.ts';
import type { Finding } from './alert-types.ts';
import { dedupKey, timingOf } from './alert-types.ts';
import { openEpisodes, storeStep } from './episodes.ts';
import { observeFleet } from './observe-fleet.ts';
import { observeTraffic } from './observe-traffic.ts';

export interface Look {
  readonly organization_id: string;
  /** ms since the epoch, HQ's clock. */
  readonly now: number;
  readonly watching_since: number;
  readonly heartbeat_grace_s: number;
  /** Whether to look at what sensors usually count. */
  readonly traffic: boolean;
}

export async function evaluateAlerts(db: Database, look: Look): Promise<void> {
  const { organization_id, now } = look;
  await db.inTenant({ organization_id }, 'app_health', async (tx) => {
    const fleet = await observeFleet(tx, organization_id, now);
    const traffic = look.traffic ? await observeTraffic(tx, organization_id) : null;
    await moveEpisodes(tx, look, judgeSilence({ ...look, ...fleet, traffic }));
  });
}

async function moveEpisodes(
  tx: Transaction,
  { organization_id, now }: Look,
  { findings, unknown }: Judgement,
): Promise<void> {
  const episodes = await openEpisodes(tx, organization_id);
  const found = new Map<string, Finding>(findings.map((one) => [dedupKey(one), one]));
  for (const dedup_key of new Set([...episodes.keys(), ...found.keys()])) {
    const finding = found.get(dedup_key);
    const seen = seenOf(finding, unknown.has(dedup_key));
    const before = episodes.get(dedup_key) ?? null;
    const after = nextState(before, seen, timingOf(dedup_key), now);
    if (after?.state === before?.state) continue;
    await storeStep(tx, organization_id, dedup_key, { before, after, finding, now });
  }
}

function seenOf(finding: Finding | undefined, unknown: boolean): Seen {
  if (finding !== undefined) return finding.late === true ? 'late' : 'holds';
  return unknown ? 'unknown' : 'gone';
}
