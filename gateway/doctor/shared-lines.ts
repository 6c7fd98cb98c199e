/** Sources that want the same port or line: only one of them would get it. Pure. */
import { type Finding, found } from '../../shared/findings/finding.ts';
import type { SourceConfig } from '../config/config.ts';

export function sharedLines(sources: readonly SourceConfig[]): Finding[] {
  const owners = new Map<string, string>();
  return sources.flatMap((source) => {
    const wanted = lineOf(source);
    if (wanted === null) return [];
    const owner = owners.get(wanted);
    owners.set(wanted, source.name);
    if (owner === undefined) return [];
    return [found('configuration', 'source_duplicate', `${owner} and ${source.name}: ${wanted}`)];
  });
}

/** What only one can have; null where several may connect. */
function lineOf(source: SourceConfig): string | null {
  switch (source.kind) {
    case 'modbus-rtu':
    case 'serial':
      return source.path;
    case 'modbus-rtu-tcp':
      return `${source.host}:${source.port}`;
    case 'mqtt-listen':
    case 'http-listen':
      // Port 0 is any free one.
      return source.port === 0 ? null : `port ${source.port}`;
    default:
      return null;
  }
}
