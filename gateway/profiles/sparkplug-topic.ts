/** Topics of Sparkplug B (Eclipse Sparkplug 3.0, chapter 4): who speaks, and what kind of message. */

const namespace = 'spBv1.0';
const of_node = ['NBIRTH', 'NDATA', 'NDEATH', 'NCMD'];
const of_device = ['DBIRTH', 'DDATA', 'DDEATH', 'DCMD'];

export interface SparkplugTopic {
  /** `BIRTH`, `DATA`, `DEATH` or `CMD`; `STATE` of a host; null: no kind that is known. */
  readonly kind: string | null;
  /** Names the edge node: group and node. */
  readonly node: string;
  /** Missing where the edge node speaks of itself. */
  readonly device: string | undefined;
  /** The one name of who speaks, whatever the message: the topic of its data. */
  readonly address: string;
}

export function isSparkplug(topic: string): boolean {
  return topic.startsWith('spBv1.0/');
}

export function sparkplugTopic(topic: string): SparkplugTopic {
  const [, group = '', type = '', edge = '', ...rest] = topic.split('/');
  const device = rest.length === 0 ? undefined : rest.join('/');
  const node = `${group}/${edge}`;
  const types = device === undefined ? of_node : of_device;
  const kind = group === 'STATE' ? 'STATE' : types.includes(type) ? type.slice(1) : null;
  const data = device === undefined ? 'NDATA' : 'DDATA';
  const address =
    kind === null || kind === 'STATE' ? topic : [namespace, group, data, edge, ...rest].join('/');
  return { kind, node, device, address };
}

/** A topic as somebody may copy it from a broker, as the one address of who speaks there. */
export function addressOfTopic(topic: string): string {
  return isSparkplug(topic) ? sparkplugTopic(topic).address : topic;
}

/** Where an edge node listens for what a host asks of it. */
export function commandTopic(node: string): string {
  const [group = '', edge = ''] = node.split('/');
  return `${namespace}/${group}/NCMD/${edge}`;
}
