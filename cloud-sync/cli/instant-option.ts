/** An option that is a moment. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';

/** @throws usage without an offset: the machine's own zone would decide, and it is nobody's store. */
export function instantOption(option: string, text: string | undefined): Date | undefined {
  if (text === undefined) return undefined;
  if (!/T.*(Z|[+-]\d\d:?\d\d)$/.test(text) || Number.isNaN(Date.parse(text))) {
    const detail = `${option} "${text}": use a time with its offset, such as 2026-11-21T09:00:00+01:00`;
    throw new FootbridgeError('usage', detail);
  }
  return new Date(text);
}
