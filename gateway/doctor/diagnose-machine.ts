/** What is wrong with the service, its disk and its buffer. Pure. */
import { type Finding, found, good } from '../../shared/findings/finding.ts';
import type { Evidence } from './evidence.ts';

const day_ms = 24 * 60 * 60 * 1000;
/** So many ends that nobody ordered within a day are no accident. */
const kills_max = 3;
/** Room that SQLite needs to check its log into the file, and a day of a busy store. */
const free_bytes_min = 256 * 1024 * 1024;
const worn_percent_max = 80;
/** From here on the buffer makes room: buffer/quota.ts. */
const quota_near_share = 0.9;
const mebibyte = 1024 * 1024;

export function disk({ status, disk: seen }: Evidence): Finding[] {
  const { durability, buffer_error, buffer } = status;
  if (durability === 'degraded') {
    const why = buffer_error ?? 'cannot be written';
    if (/quota; /.test(why)) return [found('buffer', 'buffer_quota', why)];
    const isFull = /full|ENOSPC|EDQUOT/i.test(why);
    return [found('buffer', isFull ? 'disk_full' : 'buffer_unwritable', why)];
  }
  const findings = [
    good('buffer', `${buffer.buffered} readings wait, written to disk before acknowledged`),
  ];
  if (buffer.used_bytes >= buffer.quota_bytes * quota_near_share) {
    const [used, quota] = [buffer.used_bytes, buffer.quota_bytes].map(mebibytes);
    findings.push(found('buffer', 'quota_near', `${used} of ${quota} MiB`));
  }
  const [newest] = seen.set_aside.slice(-1);
  if (newest !== undefined) findings.push(found('buffer', 'buffer_set_aside', newest));
  return findings;
}

export function service({
  now,
  runs,
  service: unit,
  status,
  installed_version,
}: Evidence): Finding[] {
  const findings: Finding[] = [];
  const killed = runs.slice(0, -1).filter(({ ended_at, started_at }) => {
    return ended_at === null && now - started_at < day_ms;
  });
  if (killed.length >= kills_max) {
    const why = unit === null || unit.result === 'success' ? '' : `, systemd says ${unit.result}`;
    findings.push(found('service', 'restarts', `${killed.length} times within a day${why}`));
  }
  if (unit?.enabled === 'disabled') {
    findings.push(found('service', 'unit_disabled', 'systemd: disabled'));
  }
  if (status.version !== installed_version) {
    const seen = `${status.version} runs, ${installed_version} is installed`;
    findings.push(found('service', 'version_stale', seen));
  }
  if (findings.length > 0) return findings;
  return [good('service', `runs since ${new Date(status.started_at).toISOString()}`)];
}

/** Nobody in the store can look; those who count do not need to. */
export function page({ status, page_holder }: Evidence): Finding[] {
  const { url, error } = status.page;
  if (error === null) return url === null ? [] : [good('page', url)];
  const seen = [page_holder, error].filter((text) => text !== null).join('; ');
  return [found('page', 'page_closed', seen)];
}

/** What will be wrong some day: behind everything that is wrong now. */
export function diskWarnings({ disk: seen }: Evidence): Finding[] {
  const { free_bytes, total_bytes, volatile, worn_percent } = seen;
  const findings: Finding[] = [];
  const room = `${mebibytes(free_bytes)} of ${mebibytes(total_bytes)} MiB free`;
  if (free_bytes < free_bytes_min) findings.push(found('disk', 'disk_filling', room));
  if (worn_percent !== null && worn_percent >= worn_percent_max) {
    findings.push(found('disk', 'disk_worn', `${worn_percent} % of its life used`));
  }
  if (volatile !== null) findings.push(found('disk', 'disk_volatile', volatile));
  return findings.length > 0 ? findings : [good('disk', room)];
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / mebibyte);
}
