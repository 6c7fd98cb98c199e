/** Nobody answers on the socket: what keeps the gateway from running. */
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Finding, found } from '../../shared/findings/finding.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import { bufferFault } from '../buffer/schema.ts';
import type { ServiceEvidence } from './evidence.ts';

/** The first finding is the cause, the last that nothing runs. */
export function whyNotRunning(
  { files }: { files: { buffer: string; socket: string } },
  service: ServiceEvidence | null,
): Finding[] {
  const findings = [...folderFault(dirname(files.buffer)), ...bufferFindings(files.buffer)];
  if (service?.active === 'failed') {
    const seen = `result ${service.result}, ${service.restarts} restarts`;
    findings.push(found('service', 'unit_failed', seen));
  }
  return [...findings, found('service', 'daemon_stopped', `${files.socket}: nobody answers`)];
}

function folderFault(folder: string): Finding[] {
  // Without the folder the daemon makes it; what counts is whether it may.
  const nearest = existsSync(folder) ? folder : dirname(folder);
  try {
    accessSync(nearest, constants.R_OK | constants.W_OK | constants.X_OK);
    return [];
  } catch (error) {
    return [found('data directory', 'data_forbidden', errorText(error))];
  }
}

function bufferFindings(path: string): Finding[] {
  const fault = existsSync(path) ? bufferFault(path) : null;
  if (fault === null) return [];
  const code = fault.kind === 'newer' ? 'buffer_newer' : 'buffer_broken';
  return [found('buffer', code, fault.detail)];
}
