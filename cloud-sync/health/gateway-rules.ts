/** What can be wrong with a gateway that speaks; pure. Judged by its last heartbeat. */
import type { AlertType, Finding } from './alert-types.ts';
import type { Judgement, Line } from './verdicts.ts';
import { Verdicts } from './verdicts.ts';

export interface GatewayFacts {
  readonly gateway_id: string;
  readonly store_id: string;
  readonly name: string;
  /** ms since the epoch, HQ's clock. */
  readonly heartbeat_at: number;
  /** ms since the epoch, the gateway's clock. */
  readonly sent_at: number;
  readonly delivered_at: number;
  readonly buffered: number;
  readonly durability: string;
  /** Since when HQ has settled nothing although readings wait, HQ's clock; null: it settles. */
  readonly stalled_since: number | null;
  /** When a second machine was last seen with its credential, HQ's clock; null: never. */
  readonly cloned_at: number | null;
  readonly disk_free_bytes: number | null;
  readonly disk_total_bytes: number | null;
  readonly sources: readonly { source: string; state: string; error: string | null }[];
  /** `expires_at`: ms since the epoch. */
  readonly certificates: readonly { name: string; expires_at: number }[];
  /** What went to quarantine since about an hour ago; null: not looked at this time. */
  readonly lost_in_an_hour: number | null;
}

const hour_ms = 3_600_000;
const day_ms = 24 * hour_ms;
/** From a minute on, readings stand in the wrong minute. */
const skew_ms = { raise: 60_000, clear: 30_000 };
const backlog_ms = { raise: hour_ms, clear: hour_ms / 4 };
/** A batch takes seconds, on the slowest line a minute; a busy HQ sends nobody away for longer. */
const stall_ms = { raise: hour_ms / 4, clear: 0 };
const lost_an_hour = { raise: 10, clear: 0 };
/** Of the disk in use; what a store's disk needs to go on for days without HQ is the last tenth. */
const disk_used_pct = { raise: 90, clear: 87 };
const certificate_days = 21;

export function judgeGateways(
  gateways: readonly GatewayFacts[],
  lines: ReadonlyMap<string, Line>,
  open: ReadonlySet<string>,
): Judgement {
  const verdicts = new Verdicts(open);
  for (const gateway of gateways) {
    const line = lines.get(gateway.gateway_id) === 'unknown' ? 'unknown' : 'online';
    judgeGateway(gateway, line, verdicts);
    judgeParts(gateway, line, verdicts);
  }
  return verdicts;
}

function judgeGateway(gateway: GatewayFacts, line: Line, verdicts: Verdicts): void {
  const about = (alert_type: AlertType, title: string, description: string): Finding => ({
    alert_type,
    subject: gateway.gateway_id,
    store_id: gateway.store_id,
    title: `Gateway ${gateway.name} ${title}`,
    description,
    metadata: { gateway_id: gateway.gateway_id },
  });
  const ahead = gateway.sent_at - gateway.heartbeat_at;
  verdicts.over(
    line,
    Math.abs(ahead),
    skew_ms,
    about(
      'clock_skew',
      `has a clock that is ${Math.round(Math.abs(ahead) / 1000)} s ${ahead > 0 ? 'ahead' : 'behind'}`,
      'Its readings stand at the wrong time. Check that the store’s network lets it reach a time server.',
    ),
  );
  const behind = gateway.sent_at - gateway.delivered_at;
  verdicts.over(
    line,
    behind,
    backlog_ms,
    about(
      'backlog_old',
      `is ${Math.round(behind / 60_000)} minutes behind`,
      `${gateway.buffered} readings wait in the store. They arrive; reports lack them until then. ` +
        'Check the store’s line and what HQ answers (`footbridge doctor`).',
    ),
  );
  const stalled = gateway.heartbeat_at - (gateway.stalled_since ?? gateway.heartbeat_at);
  verdicts.over(
    line,
    stalled,
    stall_ms,
    about(
      'delivery_stalled',
      `has delivered nothing for ${Math.round(stalled / 60_000)} minutes`,
      `Its heartbeats arrive, and ${gateway.buffered} readings wait. Something on the way takes small ` +
        'requests only, or HQ refuses a batch: `footbridge doctor` in the store, the log here.',
    ),
  );
  verdicts.say(
    line,
    gateway.durability === 'degraded',
    about(
      'storage_failing',
      'cannot write its disk',
      'It acknowledges nothing meanwhile: sensors that cannot repeat themselves lose counts. ' +
        'Free space or replace the disk.',
    ),
  );
  verdicts.say(
    line,
    gateway.cloned_at !== null && gateway.heartbeat_at - gateway.cloned_at < hour_ms,
    about(
      'gateway_cloned',
      'speaks from two machines',
      'Both show one credential: somebody copied a disk. Switch off the machine that is not in the ' +
        'store, then replace the key (`footbridge-hq gateway rotate`).',
    ),
  );
  const { disk_free_bytes: free, disk_total_bytes: total } = gateway;
  const used = free === null || total === null || total === 0 ? null : 100 - (100 * free) / total;
  verdicts.over(
    line,
    used,
    disk_used_pct,
    about(
      'disk_full',
      `has ${Math.round(100 - (used ?? 0))} % of its disk left`,
      'When it is full, readings can be kept no longer. Remove what is not Footbridge’s.',
    ),
  );
  verdicts.over(
    line,
    gateway.lost_in_an_hour,
    lost_an_hour,
    about(
      'quarantine_growing',
      `has ${gateway.lost_in_an_hour} messages of the last hour that are no counts`,
      '`footbridge-hq ledger list` has their reasons, `footbridge buffer quarantine` in the store the ' +
        'messages. `lost_with_image` stands there no more: an older image of its disk was put back.',
    ),
  );
}

function judgeParts(gateway: GatewayFacts, line: Line, verdicts: Verdicts): void {
  const { gateway_id, store_id, name } = gateway;
  for (const { source, state, error } of gateway.sources) {
    verdicts.say(line, state === 'failing', {
      alert_type: 'source_failing',
      subject: `${gateway_id}/${source}`,
      store_id,
      title: `Source ${source} of gateway ${name} is failing`,
      description:
        'None of its sensors can be heard. It tries again by itself; ' +
        '`footbridge doctor` in the store says what to check.',
      metadata: { gateway_id, source, error },
    });
  }
  for (const { name: certificate, expires_at } of gateway.certificates) {
    const days = Math.floor((expires_at - gateway.heartbeat_at) / day_ms);
    verdicts.say(line, days < certificate_days, {
      alert_type: 'certificate_expiring',
      subject: `${gateway_id}/${certificate}`,
      store_id,
      title: `Certificate ${certificate} of gateway ${name} ${days < 0 ? 'has expired' : `ends in ${days} days`}`,
      description: 'Once it has ended, devices refuse to connect. Replace the file and restart.',
      metadata: { gateway_id, certificate, expires_at },
    });
  }
}
