/** From evidence to findings, in the order of causes: machine, sources, sensors, delivery. Pure. */
import { type Finding, worstFirst } from '../../shared/findings/finding.ts';
import { clockAndZone, delivery } from './diagnose-delivery.ts';
import { disk, diskWarnings, page, service } from './diagnose-machine.ts';
import { profiles, quarantine, sensors } from './diagnose-sensors.ts';
import { sources } from './diagnose-sources.ts';
import type { Evidence } from './evidence.ts';

/** Worst first; among equals the cause before what follows from it. */
export function diagnose(evidence: Evidence): Finding[] {
  return worstFirst([
    ...disk(evidence),
    ...service(evidence),
    ...clockAndZone(evidence),
    ...sources(evidence),
    ...sensors(evidence),
    ...profiles(evidence),
    ...quarantine(evidence),
    ...delivery(evidence),
    ...page(evidence),
    ...diskWarnings(evidence),
  ]);
}
