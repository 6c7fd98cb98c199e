/** What is wrong with a running gateway, read from its status. Pure. */
import { errorCatalogue } from '../../shared/runtime/error-catalogue.ts';
import type { GatewayStatus } from '../status.ts';

export interface Finding {
  readonly check: string;
  readonly result: 'good' | 'warning' | 'fault';
  readonly seen: string;
  /** What to do next, or null where nothing needs doing. */
  readonly todo: string | null;
}

/** Readings older than this that still wait mean that HQ does not get them. */
const backlog_warn_ms = 15 * 60 * 1000;
const skew_warn_ms = 60_000;

/** Findings in the order of the path: disk, sources, sensors, profiles, quarantine, enrolment, delivery, clock. */
export function diagnose(status: GatewayStatus, now: number): Finding[] {
  return [
    disk(status),
    ...status.sources.flatMap(source),
    ...sensors(status, now),
    ...profiles(status),
    quarantine(status),
    ...uplink(status, now),
  ];
}

function disk({ durability, buffer_error, buffer }: GatewayStatus): Finding {
  if (durability !== 'degraded') {
    return good('buffer', `${buffer.buffered} readings wait, written to disk before acknowledged`);
  }
  const todo = errorCatalogue.buffer_write_failed.hint;
  return { check: 'buffer', result: 'fault', seen: buffer_error ?? 'cannot be written', todo };
}

function source(seen: GatewayStatus['sources'][number]): Finding[] {
  const { source: name, state, error, frames, refused, last_refusal, units } = seen;
  const check = `source ${name}`;
  const found: Finding[] = [];
  if (state === 'failing') {
    const todo = errorCatalogue.source_unavailable.hint;
    found.push({ check, result: 'fault', seen: error ?? 'failing', todo });
  } else {
    found.push(good(check, `${state}, ${frames} frames`));
    // Of a bus on which nobody answers the source itself has told already.
    for (const { address, error: why } of units.filter((unit) => unit.error !== null)) {
      const todo = `Check power, cable and number of the device; \`footbridge source test ${name}\` watches it.`;
      found.push({ check: `${name} ${address}`, result: 'fault', seen: why ?? '', todo });
    }
  }
  if (refused > 0) {
    const todo =
      'Enter the login that `footbridge sensor pair --login` printed, or pair again for a new one.';
    const who = `${refused} times a device was turned away, the last ${last_refusal}`;
    found.push({ check: `${name} logins`, result: 'warning', seen: who, todo });
  }
  return found;
}

function profiles({ profile_faults }: GatewayStatus): Finding[] {
  const todo = errorCatalogue.profile_invalid.hint;
  return profile_faults.map(({ profile, detail }) => {
    const seen = `kept as it was: ${detail}`;
    return { check: `profile ${profile}`, result: 'warning', seen, todo };
  });
}

function sensors({ sensors: paired, started_at }: GatewayStatus, now: number): Finding[] {
  if (paired.length === 0) {
    const todo = 'Pair the first one: `footbridge sensor pair --help`.';
    return [{ check: 'sensors', result: 'warning', seen: 'none is paired', todo }];
  }
  return paired.map(({ sensor_id, last_seen_at, silent_after_s, source: name, address }) => {
    const check = `sensor ${sensor_id}`;
    const quiet_s = Math.round((now - (last_seen_at ?? started_at)) / 1000);
    if (quiet_s <= silent_after_s)
      return good(check, `heard ${last_seen_at === null ? 'not yet' : `${quiet_s} s ago`}`);
    const seen = `silent for ${quiet_s} s; ${silent_after_s} s are normal`;
    const todo = `Check power and cable of the device, and that it sends to ${name} ${address}.`;
    return { check, result: 'fault', seen, todo };
  });
}

function quarantine({ buffer }: GatewayStatus): Finding {
  const [worst] = [...buffer.quarantined].sort((a, b) => b.count - a.count);
  if (worst === undefined) return good('quarantine', 'empty');
  return {
    check: 'quarantine',
    result: 'warning',
    seen: `${worst.count} of ${worst.source} for ${worst.reason}`,
    todo: 'See `footbridge buffer quarantine` for the bytes and the reason of each.',
  };
}

function uplink(
  { uplink: { enrolled, fault, sync, clock_skew_ms }, buffer }: GatewayStatus,
  now: number,
): Finding[] {
  if (enrolled === null || sync === null) {
    const { message, hint } = errorCatalogue.not_enrolled;
    const seen = fault ?? message;
    const todo = fault === null ? hint : 'Enrol again: `footbridge enroll --force`.';
    return [{ check: 'enrolment', result: 'fault', seen, todo }];
  }
  const findings = [good('enrolment', `store ${enrolled.store} of ${enrolled.organization}`)];
  if (sync.state === 'refused') {
    const todo = errorCatalogue.credential_refused.hint;
    findings.push({ check: 'delivery', result: 'fault', seen: sync.error ?? 'refused', todo });
  } else if (sync.error !== null) {
    // An HTTP status means that HQ was reached: the line is not the cause.
    const todo = /^HTTP 5/.test(sync.error)
      ? 'HQ has a fault of its own: its log has the cause. Readings are kept until it answers.'
      : errorCatalogue.hq_unreachable.hint;
    findings.push({ check: 'delivery', result: 'fault', seen: sync.error, todo });
  } else if (
    buffer.oldest_unsent_received_at !== null &&
    now - buffer.oldest_unsent_received_at > backlog_warn_ms
  ) {
    const minutes = Math.round((now - buffer.oldest_unsent_received_at) / 60_000);
    const seen = `the oldest reading waits for ${minutes} min, ${buffer.buffered} in all`;
    findings.push({
      check: 'delivery',
      result: 'warning',
      seen,
      todo: 'It drains by itself; look again in a while.',
    });
  } else {
    findings.push(good('delivery', sync.state));
  }
  if (clock_skew_ms !== null && Math.abs(clock_skew_ms) > skew_warn_ms) {
    const seen = `${Math.round(clock_skew_ms / 1000)} s ahead of HQ; the store's zone is ${enrolled.timezone}`;
    const todo = 'Set the clock: `timedatectl set-ntp true`, then `timedatectl`.';
    findings.push({ check: 'clock', result: 'fault', seen, todo });
  }
  return findings;
}

function good(check: string, seen: string): Finding {
  return { check, result: 'good', seen, todo: null };
}
