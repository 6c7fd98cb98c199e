/** What is wrong on the way to HQ, and with time. Pure. */
import { type Finding, found, good } from '../../shared/findings/finding.ts';
import type { SyncStatus } from '../sync/sync-loop.ts';
import type { Evidence } from './evidence.ts';
import { hqCause } from './network-cause.ts';

/** Readings older than this that still wait mean that HQ does not get them. */
const backlog_warn_ms = 15 * 60 * 1000;
/** While HQ takes backlog, a batch of it is settled far more often than this. */
const stall_ms = 15 * 60 * 1000;
const skew_max_ms = 60_000;

/** What HQ says when others are before us. */
const isBusy = /HTTP (409|429|503) (batch_in_flight|overloaded)/;

export function delivery(evidence: Evidence): Finding[] {
  const { enrolled, fault, sync } = evidence.status.uplink;
  if (fault !== null) return [found('enrolment', 'credential_broken', fault)];
  if (enrolled === null || sync === null) {
    return [found('enrolment', 'not_enrolled', `${evidence.status.buffer.buffered} readings wait`)];
  }
  const findings = [good('enrolment', `store ${enrolled.store} of ${enrolled.organization}`)];
  if (sync.state === 'refused') {
    findings.push(found('delivery', 'credential_revoked', sync.error ?? ''));
  } else if (sync.error !== null) findings.push(undelivered(sync, enrolled.hq_url, evidence));
  else findings.push(stalled(sync, evidence) ?? backlog(evidence, sync.state));
  return findings;
}

/** The doctor's own request tells more than the last try, where it failed too. */
function undelivered(sync: SyncStatus, hq_url: string, evidence: Evidence): Finding {
  const { hq, proxy } = evidence;
  const error = sync.error ?? '';
  if (hq?.kind === 'failed') {
    const code = hqCause(hq.error);
    const isBlocked = proxy !== null && ['hq_unknown', 'hq_refuses', 'hq_away'].includes(code);
    if (isBlocked) return found('delivery', 'proxy_between', `${proxy}; ${hq_url}: ${hq.error}`);
    return found('delivery', code, `${hq_url}: ${hq.error}`);
  }
  if (hq?.kind === 'answer' && !hq.is_hq) {
    const seen = `${hq_url} answers ${hq.status}${hq.by === '' ? '' : ` by ${hq.by}`}`;
    if (hq.status === 407 || hq.status === 403) return found('delivery', 'proxy_between', seen);
    if (hq.status < 500) return found('delivery', 'portal_between', seen);
    return found('delivery', 'hq_failing', seen);
  }
  const stall = stalled(sync, evidence);
  if (stall !== null) return stall;
  if (isBusy.test(error)) return backlog(evidence, error);
  if (/HTTP 5/.test(error)) return found('delivery', 'hq_failing', error);
  return found('delivery', hqCause(error), error);
}

/** Of an HQ that can be reached: nothing that waited for long has been taken for as long. */
function stalled(sync: SyncStatus, { status, now }: Evidence): Finding | null {
  const { oldest_unsent_received_at: oldest, buffered } = status.buffer;
  if (oldest === null || now - oldest <= stall_ms) return null;
  const since = Math.max(sync.backlog_delivered_at ?? 0, status.started_at);
  if (now - since <= stall_ms) return null;
  const why = sync.error === null ? '' : `: ${sync.error}`;
  const minutes = Math.round((now - since) / 60_000);
  return found(
    'delivery',
    'delivery_stalled',
    `${buffered} readings, none for ${minutes} min${why}`,
  );
}

function backlog({ status: { buffer }, now }: Evidence, state: string): Finding {
  const { oldest_unsent_received_at: oldest, buffered } = buffer;
  if (oldest === null || now - oldest <= backlog_warn_ms) return good('delivery', state);
  const minutes = Math.round((now - oldest) / 60_000);
  const seen = `${buffered} readings, the oldest for ${minutes} min`;
  return found('delivery', 'backlog_old', seen);
}

export function clockAndZone({ status, timezone, now }: Evidence): Finding[] {
  const { buffer, uplink } = status;
  if (buffer.undated > 0) {
    return [found('clock', 'clock_not_set', `${buffer.undated} records wait for a date`)];
  }
  const { enrolled, clock_skew_ms: skew_ms } = uplink;
  if (enrolled === null) return [];
  const findings: Finding[] = [];
  if (skew_ms !== null && Math.abs(skew_ms) > skew_max_ms) {
    const how = skew_ms > 0 ? 'ahead of' : 'behind';
    findings.push(
      found('clock', 'clock_wrong', `${Math.abs(Math.round(skew_ms / 1000))} s ${how} HQ`),
    );
  }
  // Machines without a zone of their own run on UTC, and nothing is wrong with that.
  const differs = timezone !== 'UTC' && offsets(timezone, now) !== offsets(enrolled.timezone, now);
  if (differs) {
    const seen = `${timezone} here, ${enrolled.timezone} at HQ`;
    findings.push(found('clock', 'zone_differs', seen));
  }
  return findings;
}

const half_year_ms = 183 * 24 * 60 * 60 * 1000;

/** What the clock on the wall shows in both halves of the year: zones of one time are one. */
function offsets(timezone: string, now: number): string {
  const shown = new Intl.DateTimeFormat('en-GB', {
    timeZone: timezone,
    dateStyle: 'short',
    timeStyle: 'short',
  });
  return [now, now + half_year_ms].map((at) => shown.format(at)).join(' ');
}
