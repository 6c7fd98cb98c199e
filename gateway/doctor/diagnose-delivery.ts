/** What is wrong on the way to HQ, and with time. Pure. */
import { type Finding, found, good } from '../../shared/findings/finding.ts';
import type { Evidence } from './evidence.ts';
import { hqCause } from './network-cause.ts';

/** Readings older than this that still wait mean that HQ does not get them. */
const backlog_warn_ms = 15 * 60 * 1000;
const skew_max_ms = 60_000;

export function delivery(evidence: Evidence): Finding[] {
  const { enrolled, fault, sync } = evidence.status.uplink;
  if (fault !== null) return [found('enrolment', 'credential_broken', fault)];
  if (enrolled === null || sync === null) {
    return [found('enrolment', 'not_enrolled', `${evidence.status.buffer.buffered} readings wait`)];
  }
  const findings = [good('enrolment', `store ${enrolled.store} of ${enrolled.organization}`)];
  if (sync.state === 'refused') {
    findings.push(found('delivery', 'credential_revoked', sync.error ?? ''));
  } else if (sync.error !== null) findings.push(undelivered(sync.error, enrolled.hq_url, evidence));
  else findings.push(backlog(evidence, sync.state));
  return findings;
}

/** @param error why the last try failed; the doctor's own request tells more where it failed too. */
function undelivered(error: string, hq_url: string, { hq, proxy }: Evidence): Finding {
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
  if (/HTTP 5/.test(error)) return found('delivery', 'hq_failing', error);
  return found('delivery', hqCause(error), error);
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
