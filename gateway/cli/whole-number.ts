/** A number typed on the command line. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';

/** @throws FootbridgeError usage */
export function wholeNumber(option: string, text: string | undefined): Record<string, number> {
  if (text === undefined) return {};
  const value = Number(text);
  if (text.trim() === '' || !Number.isInteger(value)) {
    throw new FootbridgeError('usage', `--${option} is "${text}"; it takes a whole number`);
  }
  return { [option]: value };
}
