/** What is wrong between the gateway and its connections. Pure. */
import { type Finding, found, good } from '../../shared/findings/finding.ts';
import type { EndingCertificate } from '../sources/certificates.ts';
import type { SourceStatus, UnitStatus } from '../sources/source.ts';
import type { Evidence } from './evidence.ts';
import { noiseCause, sourceCause } from './network-cause.ts';

/** A new certificate takes a visit or an order; two weeks are time for both. */
const renew_before_ms = 14 * 24 * 60 * 60 * 1000;
/** One damaged frame is a lorry passing; as many as this, with others intact, is the cable. */
const damaged_frames_max = 10;

export function sources(evidence: Evidence): Finding[] {
  const { status, now } = evidence;
  return [
    ...status.sources.flatMap((source) => one(source, evidence)),
    ...status.certificates
      .filter(({ expires_at }) => expires_at - now < renew_before_ms)
      .map(expiring),
    ...evidence.brokers.map(({ source, settings }) =>
      found(`source ${source}`, 'broker_forgets', settings),
    ),
  ];
}

function one(source: SourceStatus, evidence: Evidence): Finding[] {
  const check = `source ${source.source}`;
  const findings = [...line(source, evidence)];
  const path = evidence.serial_paths.get(source.source);
  if (path !== undefined && /^\/dev\/tty(USB|ACM)\d+$/.test(path)) {
    findings.push(found(check, 'serial_unstable', path));
  }
  if (source.refused > 0) {
    const who = `${source.refused} times, the last ${source.last_refusal}`;
    findings.push(found(check, 'device_refused', who));
  }
  const damaged = damagedFrames(source.source, evidence);
  if (damaged >= damaged_frames_max && source.frames > damaged) {
    findings.push(found(check, 'line_noisy', `${damaged} of ${source.frames} frames`));
  }
  return findings;
}

function line(
  { source, state, error, frames, units }: SourceStatus,
  evidence: Evidence,
): Finding[] {
  const check = `source ${source}`;
  const missing = units.filter((unit) => unit.error !== null);
  if (units.length > 0 && missing.length === units.length) return [deadLine(check, missing)];
  if (state === 'failing') {
    const code = sourceCause(error ?? '');
    const holder = evidence.holders.get(source) ?? null;
    const seen = [holder, error].filter((text) => text !== null).join('; ');
    return [found(check, code, seen)];
  }
  // Where others on the line answer, each that does not has a cause of its own.
  return [
    good(check, `${state}, ${frames} ${frames === 1 ? 'frame' : 'frames'}`),
    ...missing.map((unit) => deadUnit(`${source} ${unit.address}`, unit)),
  ];
}

/** Nobody answers: what is heard instead tells why. */
function deadLine(check: string, units: readonly UnitStatus[]): Finding {
  const faulty = units.find((unit) => unit.state === 'faulty' && unit.noise === null);
  if (faulty !== undefined) return deadUnit(`${check} ${faulty.address}`, faulty);
  const noise = units.map((unit) => unit.noise ?? '').join('');
  if (noise !== '') {
    return found(check, noiseCause(noise), `heard ${noise.slice(0, 32)} instead of answers`);
  }
  const seen = units.map(({ address, error }) => `${address}: ${error}`).join('; ');
  return found(check, 'line_silent', seen);
}

function deadUnit(check: string, { state, error, noise }: UnitStatus): Finding {
  const seen = error ?? '';
  if (noise !== null) return found(check, noiseCause(noise), `heard ${noise} instead of an answer`);
  return found(check, state === 'faulty' ? 'unit_refuses' : 'unit_silent', seen);
}

function damagedFrames(source: string, { status }: Evidence): number {
  return status.buffer.quarantined
    .filter((total) => total.source === source && total.last_at >= status.started_at)
    .filter(({ reason }) => ['checksum', 'truncated', 'unreadable'].includes(reason))
    .reduce((sum, { count }) => sum + count, 0);
}

function expiring({ name, expires_at }: EndingCertificate): Finding {
  const seen = `until ${new Date(expires_at).toISOString().slice(0, 10)}`;
  return found(`source ${name}`, 'listener_certificate', seen);
}
