/**
 * What Sparkplug edge nodes have said: births give metrics their names, so data can be read; a
 * number in each message shows what was lost; a death tells that a device is gone. Where a name is
 * missing or a message was lost, the node is asked for its births. Keeps memory, does no I/O.
 */
import {
  decodeSparkplug,
  defineMetrics,
  type MetricDefinitions,
  noDefinitions,
  type SparkplugPayload,
} from './codecs/sparkplug.ts';
import { commandTopic, sparkplugTopic } from './sparkplug-topic.ts';

export interface SparkplugHeard {
  /** Who speaks, as sensors are paired with it. */
  readonly address: string;
  /** The payload with its names; null where it says nothing about metrics. */
  readonly payload: SparkplugPayload | null;
  /** Whoever is born or dies: this device, or the node with all its devices. */
  readonly presence: { readonly is_here: boolean; readonly device: string | undefined } | null;
  /** Group and edge node. */
  readonly node: string;
  /** Why nothing is counted, or null. */
  readonly ignored: string | null;
  /** Where a request for births has to go, or null. */
  readonly ask: string | null;
}

interface Node {
  /** Names its connection: a death with another belongs to an earlier one. */
  bd_seq: number | null;
  seq: number | null;
  readonly own: MetricDefinitions;
  readonly devices: Map<string, MetricDefinitions>;
  /** When its births were last asked for, ms since the epoch. */
  asked_at: number;
}

const nodes_max = 1_000;
const devices_max = 1_000;
/** A node that is born takes a while; asking again would start it anew. */
const ask_every_ms = 10_000;

export class SparkplugNodes {
  readonly #nodes = new Map<string, Node>();

  /**
   * @param at ms since the epoch.
   * @throws an Error where the bytes are no payload.
   */
  hear(source: string, topic: string, bytes: Uint8Array, at: number): SparkplugHeard {
    const { kind, node: name, device, address } = sparkplugTopic(topic);
    const heard = { address, node: name, payload: null, presence: null, ignored: null, ask: null };
    if (kind === null || kind === 'CMD' || kind === 'STATE') {
      return { ...heard, ignored: 'sparkplug_command' };
    }
    const node = this.#node(`${source}\n${name}`);
    if (kind === 'DEATH') {
      const isStale = device === undefined && isOfEarlier(node, decodeSparkplug(bytes));
      if (isStale) return { ...heard, ignored: 'sparkplug_stale_death' };
      if (device !== undefined) node.devices.delete(device);
      return { ...heard, presence: { is_here: false, device }, ignored: 'sparkplug_death' };
    }
    if (kind === 'BIRTH') {
      const payload = bear(node, device, bytes);
      return { ...heard, payload, presence: { is_here: true, device } };
    }
    const known = device === undefined ? node.own : node.devices.get(device);
    const payload = decodeSparkplug(bytes, known);
    const isInOrder = follows(node, payload.seq);
    const isKnown = known !== undefined && payload.unknown_aliases === undefined;
    if ((isInOrder && isKnown) || at - node.asked_at < ask_every_ms) return { ...heard, payload };
    node.asked_at = at;
    return { ...heard, payload, ask: commandTopic(name) };
  }

  #node(key: string): Node {
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const [oldest] = this.#nodes.keys();
    if (this.#nodes.size >= nodes_max && oldest !== undefined) this.#nodes.delete(oldest);
    const asked_at = Number.NEGATIVE_INFINITY;
    const node = { bd_seq: null, seq: null, own: noDefinitions(), devices: new Map(), asked_at };
    this.#nodes.set(key, node);
    return node;
  }
}

/** A birth replaces what was known; that of a node replaces what was known of its devices too. */
function bear(node: Node, device: string | undefined, bytes: Uint8Array): SparkplugPayload {
  const payload = decodeSparkplug(bytes);
  if (device === undefined) {
    node.bd_seq = bdSeqOf(payload);
    node.seq = payload.seq;
    node.devices.clear();
    node.own.by_alias.clear();
    node.own.by_name.clear();
    defineMetrics(node.own, payload);
    return payload;
  }
  const definitions = noDefinitions();
  defineMetrics(definitions, payload);
  if (node.devices.size < devices_max) node.devices.set(device, definitions);
  follows(node, payload.seq);
  return payload;
}

/** Takes note of a message's number. @returns whether it is the one behind the last. */
function follows(node: Node, seq: number | null): boolean {
  const expected = node.seq === null ? null : (node.seq + 1) % 256;
  node.seq = seq;
  return expected !== null && seq === expected;
}

function bdSeqOf({ metrics }: SparkplugPayload): number | null {
  const value = metrics.find(({ name }) => name === 'bdSeq')?.value;
  return typeof value === 'number' ? value : null;
}

/** The last will of a connection that another has replaced comes late. */
function isOfEarlier({ bd_seq }: Node, death: SparkplugPayload): boolean {
  const of = bdSeqOf(death);
  return bd_seq !== null && of !== null && of !== bd_seq;
}
