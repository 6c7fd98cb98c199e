/** What a device, or its last will, says about whether it is there. Pure. */
import { z } from 'zod';
import { textOf } from './codecs/text.ts';
import { getter, outermostScope } from './path.ts';

const words = z.array(z.string().min(1)).min(1);

export const presenceSchema = z.strictObject({
  /**
   * The topic on which it stands: `{topic}` is the sensor's own, `{1}` the first level of it, for
   * example `{topic}/availability` or `{1}/{2}/$state`.
   */
  topic: z.string().regex(/\{(topic|\d)\}/, { error: 'use {topic}, or its levels {1}, {2} …' }),
  /** Where the word stands in a JSON message; a message that is no object is the word itself. */
  path: z.string().min(1).max(200).optional(),
  online: words,
  offline: words,
});

export type PresenceMapping = z.infer<typeof presenceSchema>;

/** The topic of a sensor's presence, or null where its own has too few levels. */
export function presenceTopic({ topic: template }: PresenceMapping, topic: string): string | null {
  const levels = topic.split('/');
  let isWhole = true;
  const written = template.replaceAll(/\{(topic|\d)\}/g, (_all, part: string) => {
    const found = part === 'topic' ? topic : levels[Number(part) - 1];
    if (found === undefined) isWhole = false;
    return found ?? '';
  });
  return isWhole ? written : null;
}

/** Whether the device is there; null where the message says neither. */
export function readPresence(mapping: PresenceMapping, bytes: Uint8Array): boolean | null {
  const word = wordOf(mapping, bytes);
  if (mapping.online.includes(word)) return true;
  return mapping.offline.includes(word) ? false : null;
}

function wordOf({ path }: PresenceMapping, bytes: Uint8Array): string {
  try {
    const text = textOf(bytes).trim();
    if (path === undefined || !text.startsWith('{')) return text;
    return String(getter(path)(outermostScope(JSON.parse(text))));
  } catch {
    return '';
  }
}
