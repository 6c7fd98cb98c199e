/** One look at an organization: observe, judge, and move every episode by one step. */
import type { Database, Transaction } from '../db/pool.ts';
import type { WatchedStore } from './alert-rules.ts';
import { judgeSilence } from './alert-rules.ts';
import type { EpisodeState, Seen as Glance } from './alert-states.ts';
import { nextState } from './alert-states.ts';
import type { Finding } from './alert-types.ts';
import { dedupKey, kindOf } from './alert-types.ts';
import { judgeCounts } from './count-rules.ts';
import { judgeDays, judgeKeys } from './day-rules.ts';
import { judgeDevices } from './device-rules.ts';
import { openEpisodes, storeStep } from './episodes.ts';
import { judgeGateways } from './gateway-rules.ts';
import { observeCounts } from './observe-counts.ts';
import { observeDays, observeKeys } from './observe-days.ts';
import { observeFleet } from './observe-fleet.ts';
import { observeGateways } from './observe-gateways.ts';
import { observeTraffic } from './observe-traffic.ts';
import type { Judgement, Line } from './verdicts.ts';

export interface Look {
  readonly organization_id: string;
  /** ms since the epoch, HQ's clock. */
  readonly now: number;
  readonly watching_since: number;
  readonly heartbeat_grace_s: number;
  /** Whether to look at what reads many rows too: counts, days, what sensors usually count. */
  readonly thorough: boolean;
}

/** What a look found, to be counted. */
export interface Seen {
  /** Severities of the alerts that fire. */
  readonly firing: readonly string[];
  readonly lines: readonly Line[];
}

export async function evaluateAlerts(db: Database, look: Look): Promise<Seen> {
  const { organization_id } = look;
  return db.inTenant({ organization_id }, 'app_health', async (tx) => {
    const fleet = await observeFleet(tx, organization_id, look.now);
    const episodes = await openEpisodes(tx, organization_id);
    const { judgements, lines } = await judge(tx, look, fleet, episodes);
    const firing = await moveEpisodes(tx, look, { stores: fleet.stores, episodes, judgements });
    return { firing, lines };
  });
}

async function judge(
  tx: Transaction,
  look: Look,
  fleet: Awaited<ReturnType<typeof observeFleet>>,
  episodes: ReadonlyMap<string, EpisodeState>,
): Promise<{ judgements: Judgement[]; lines: Line[] }> {
  const { organization_id: id, now, thorough } = look;
  const open = new Set([...episodes].filter(([, { state }]) => state !== 'pending').map(first));
  const traffic = thorough ? await observeTraffic(tx, id) : [];
  const silence = judgeSilence({ ...look, ...fleet, traffic });
  const { lines } = silence;
  const gateways = judgeGateways(await observeGateways(tx, id, { now, thorough }), lines, open);
  const devices = judgeDevices(fleet.sensors, lines, open);
  const judgements: Judgement[] = [silence, gateways, devices];
  if (thorough) {
    judgements.push(
      judgeCounts(await observeCounts(tx, id), lines, open),
      judgeDays(await observeDays(tx, id), lines, open),
      judgeKeys(await observeKeys(tx, id, now)),
    );
  }
  return { judgements, lines: [...lines.values()] };
}

function first<T>([one]: readonly [T, ...unknown[]]): T {
  return one;
}

async function moveEpisodes(
  tx: Transaction,
  { organization_id, now, thorough }: Look,
  seen: {
    stores: readonly WatchedStore[];
    episodes: ReadonlyMap<string, EpisodeState>;
    judgements: readonly Judgement[];
  },
): Promise<string[]> {
  const worked_on = new Set(seen.stores.filter((one) => one.worked_on).map((one) => one.store_id));
  const findings = seen.judgements.flatMap((one) => one.findings);
  const found = new Map<string, Finding>(findings.map((one) => [dedupKey(one), one]));
  const seenOf = (dedup_key: string): Glance => {
    const finding = found.get(dedup_key);
    if (finding === undefined) {
      const unknown = seen.judgements.some((one) => one.unknown.has(dedup_key));
      return unknown || (kindOf(dedup_key).slow === true && !thorough) ? 'unknown' : 'gone';
    }
    if (finding.store_id !== null && worked_on.has(finding.store_id)) return 'unknown';
    return finding.late === true ? 'late' : 'holds';
  };
  const firing: string[] = [];
  for (const dedup_key of new Set([...seen.episodes.keys(), ...found.keys()])) {
    const before = seen.episodes.get(dedup_key) ?? null;
    const after = nextState(before, seenOf(dedup_key), kindOf(dedup_key), now);
    if (after?.state === 'firing') firing.push(kindOf(dedup_key).severity);
    if (after?.state === before?.state) continue;
    const step = { before, after, finding: found.get(dedup_key), now };
    await storeStep(tx, organization_id, dedup_key, step);
  }
  return firing;
}
