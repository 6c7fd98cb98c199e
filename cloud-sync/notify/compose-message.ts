/** What a notification says, in words; pure. */
import type { NewsItem } from './plan-notifications.ts';

export interface Message {
  readonly subject: string;
  readonly text: string;
}

/** So many stores at once have something in common. */
const common_from_stores = 3;
/** A kind with more alerts than this is counted, and the first of them are named. */
const named_max = 20;
const subject_max = 200;

export function composeMessage(items: readonly NewsItem[]): Message {
  const firing = items.filter(({ told }) => told === 'firing');
  const resolved = items.filter(({ told }) => told === 'resolved');
  return {
    subject: subjectOf(firing, resolved).slice(0, subject_max),
    text: [
      ...commonFault(firing),
      ...paragraphs('', firing),
      ...paragraphs('Resolved: ', resolved),
    ].join('\n\n'),
  };
}

function subjectOf(firing: readonly NewsItem[], resolved: readonly NewsItem[]): string {
  const [worst] = [...firing].sort((a, b) => rank(b) - rank(a));
  if (worst === undefined) {
    const [one] = resolved;
    return resolved.length === 1 && one !== undefined
      ? `[resolved] ${heading(one)}`
      : `[resolved] ${resolved.length} alerts`;
  }
  const tag = `[${worst.alert.severity}]`;
  if (firing.length === 1 && resolved.length === 0) return `${tag} ${heading(worst)}`;
  const same = firing.every(({ alert }) => alert.alert_type === worst.alert.alert_type);
  const what = same ? `: ${words(worst.alert.alert_type)}` : '';
  const also = resolved.length === 0 ? '' : `; ${resolved.length} resolved`;
  return `${tag} ${counted(firing)}${what}${also}`;
}

function commonFault(firing: readonly NewsItem[]): string[] {
  const offline = firing.filter(({ alert }) => alert.alert_type === 'gateway_offline');
  const stores = new Set(offline.map(({ alert }) => alert.store_id)).size;
  if (stores < common_from_stores) return [];
  return [
    `${stores} stores lost their line together: look for what they share, such as a provider, a ` +
      'data centre or HQ’s own address, before calling any of them.',
  ];
}

function paragraphs(prefix: string, items: readonly NewsItem[]): string[] {
  const kinds = new Map<string, NewsItem[]>();
  for (const item of items) {
    kinds.set(item.alert.alert_type, [...(kinds.get(item.alert.alert_type) ?? []), item]);
  }
  return [...kinds.values()].flatMap((some) => {
    const [first] = some;
    if (first === undefined) return [];
    if (some.length === 1) return [`${prefix}${heading(first)}\n${first.alert.description}`];
    const named = some.slice(0, named_max).map((one) => `- ${heading(one)}`);
    const more = some.length > named_max ? [`- and ${some.length - named_max} more`] : [];
    const count = `${prefix}${counted(some)}: ${words(first.alert.alert_type)}`;
    return [[count, first.alert.description, ...named, ...more].join('\n')];
  });
}

function heading({ alert }: NewsItem): string {
  const where = alert.store === null || alert.title.startsWith(alert.store) ? '' : alert.store;
  return where === '' ? alert.title : `${alert.title}, ${where}`;
}

function counted(items: readonly NewsItem[]): string {
  const stores = new Map(items.map(({ alert }) => [alert.store_id, alert.store]));
  const [only] = stores.values();
  const where = stores.size === 1 ? (only ?? 'the organization') : `${stores.size} stores`;
  return `${items.length} ${items.length === 1 ? 'alert' : 'alerts'} in ${where}`;
}

function rank({ alert }: NewsItem): number {
  return ['info', 'warning', 'critical'].indexOf(alert.severity);
}

function words(alert_type: string): string {
  return alert_type.replaceAll('_', ' ');
}
