/**
 * Everything the two doctors can find: how it shows, what it is, what to do. The table is the
 * documentation; a test keeps docs/troubleshooting.md in step with it.
 */
import { countFindings } from './count-findings.ts';
import { headquartersFindings } from './headquarters-findings.ts';
import { machineFindings } from './machine-findings.ts';
import { sourceFindings } from './source-findings.ts';

/** In the order of causes: what stands first explains what stands behind it. */
export const findingCatalogue = {
  ...machineFindings,
  ...sourceFindings,
  ...countFindings,
  ...headquartersFindings,
};

export type FindingCode = keyof typeof findingCatalogue;
