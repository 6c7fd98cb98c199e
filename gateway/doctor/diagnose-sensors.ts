/** What is wrong with single sensors, and what arrived that no sensor could use. Pure. */
import { type Finding, found, good } from '../../shared/findings/finding.ts';
import type { SensorStatus } from '../status.ts';
import type { Evidence, FitEvidence } from './evidence.ts';
import { likeliest } from './likeness.ts';

/** One leap is a replaced device; where the number means something else, it goes on. */
const leaps_max = 1;

export function sensors(evidence: Evidence): Finding[] {
  const { sensors: paired, sources } = evidence.status;
  if (paired.length === 0) return [found('sensors', 'no_sensors', 'none is paired')];
  const failing = new Set(
    sources.filter(({ state }) => state !== 'running').map(({ source }) => source),
  );
  // Behind a connection that fails nobody can be heard: that is told once, of the connection.
  return paired
    .filter(({ source }) => !failing.has(source))
    .flatMap((sensor) => [heard(sensor, evidence), ...counting(sensor)]);
}

function heard(sensor: SensorStatus, evidence: Evidence): Finding {
  const { sensor_id, last_seen_at, silent_after_s, address, retained, source } = sensor;
  const { offline_since } = sensor;
  const check = `sensor ${sensor_id}`;
  const { now, status, fits } = evidence;
  const fit = fits.find((each) => each.sensor_id === sensor_id);
  if (fit !== undefined) return misread(check, fit);
  if (offline_since !== null) {
    const gone_s = Math.round((now - offline_since) / 1000);
    return found(check, 'sensor_offline', `said to be gone ${gone_s} s ago`);
  }
  const quiet_s = Math.round((now - (last_seen_at ?? status.started_at)) / 1000);
  const isPolled = status.sources.some((one) => one.source === source && one.units.length > 0);
  if (last_seen_at === null && !isPolled) {
    const near = likeliest(address, strangers(source, evidence));
    if (near !== null) {
      const todo = `footbridge sensor pair ${sensor_id} --source ${source} --profile ${sensor.profile} --topic "${near}", or correct the device.`;
      return found(check, 'topic_misspelt', `"${near}" is heard, "${address}" is paired`, todo);
    }
    if (retained > 0) return found(check, 'retained_only', `${retained} stored copies, none live`);
    if (quiet_s > silent_after_s) {
      return found(check, 'topic_silent', `nothing at ${source} ${address} for ${quiet_s} s`);
    }
  }
  if (quiet_s > silent_after_s) {
    return found(check, 'sensor_silent', `for ${quiet_s} s; ${silent_after_s} s are normal`);
  }
  return good(check, last_seen_at === null ? 'not heard yet' : `heard ${quiet_s} s ago`);
}

function misread(check: string, { reason, profiles }: FitEvidence): Finding {
  const [only, ...more] = profiles;
  if (only === undefined) return found(check, 'profile_unfit', reason);
  const seen = `${reason}; ${profiles.slice(0, 5).join(', ')} would read it`;
  return found(check, more.length === 0 ? 'profile_wrong' : 'profile_ambiguous', seen);
}

function counting({ sensor_id, notes }: SensorStatus): Finding[] {
  const check = `sensor ${sensor_id}`;
  const leaps = (notes.jump_confirmed ?? 0) + (notes.rebaselined ?? 0);
  const findings: Finding[] = [];
  if (leaps > leaps_max) findings.push(found(check, 'values_leap', `${leaps} leaps since start`));
  if ((notes.accounts_differ ?? 0) > 0) {
    findings.push(found(check, 'accounts_differ', `${notes.accounts_differ} times since start`));
  }
  if ((notes.device_time_rejected ?? 0) > 0) {
    const seen = `${notes.device_time_rejected} times since start`;
    findings.push(found(check, 'device_clock', seen));
  }
  return findings;
}

/** Addresses of a source that are heard since start and that nobody paired. */
function strangers(source: string, { quarantine: rows, status }: Evidence): string[] {
  return rows
    .filter((row) => row.source === source && row.reason === 'unknown_address')
    .filter((row) => row.received_at >= status.started_at)
    .map((row) => row.address);
}

/** A file that cannot be used changes nothing while the gateway runs, and keeps it from starting. */
export function profiles({ status }: Evidence): Finding[] {
  return status.profile_faults.map(({ profile, detail }) =>
    found(`profile ${profile}`, 'profile_kept', detail),
  );
}

export function quarantine({ status: { buffer } }: Evidence): Finding[] {
  const [worst] = [...buffer.quarantined].sort((a, b) => b.count - a.count);
  if (worst === undefined) return [good('quarantine', 'empty')];
  const seen = `${worst.count} of ${worst.source} for ${worst.reason}`;
  return [found('quarantine', 'quarantined', seen)];
}
