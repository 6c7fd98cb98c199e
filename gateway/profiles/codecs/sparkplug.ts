/**
 * Sparkplug B payloads (Eclipse Sparkplug 3.0, chapter 6) to a value: the metrics with their names,
 * types and times. After its birth a device may leave out names and types and send an alias, so
 * whoever keeps the births gives them along. Pure.
 */
import { ProtobufReader } from './protobuf.ts';
import { textOf } from './text.ts';

/** What a birth says about a metric. */
export interface MetricDefinition {
  readonly name: string;
  readonly datatype: number | undefined;
}

/** The metrics that births have named. */
export interface MetricDefinitions {
  readonly by_alias: Map<string, MetricDefinition>;
  readonly by_name: Map<string, MetricDefinition>;
}

export interface SparkplugMetric {
  /** Null where only an alias came that no birth named. */
  readonly name: string | null;
  readonly alias: string | null;
  readonly datatype: number | undefined;
  /** ms since the epoch; the payload's where the metric has none. */
  readonly timestamp: number | null;
  /** Kept by the device while it had no connection. */
  readonly historical: boolean;
  /** Null: the device has none at present. Tables, templates and files are left out. */
  readonly value: number | string | boolean | null | undefined;
}

export interface SparkplugPayload {
  readonly timestamp: number | null;
  /** 0 to 255, counted over all messages of an edge node; null in a death. */
  readonly seq: number | null;
  readonly metrics: readonly SparkplugMetric[];
  /** Aliases that no birth named. */
  readonly unknown_aliases?: readonly string[];
}

const metrics_max = 10_000;

export function noDefinitions(): MetricDefinitions {
  return { by_alias: new Map(), by_name: new Map() };
}

/** @throws an Error where the bytes are no Sparkplug B payload. */
export function decodeSparkplug(bytes: Uint8Array, known?: MetricDefinitions): SparkplugPayload {
  const reader = new ProtobufReader(bytes);
  const metrics: Uint8Array[] = [];
  let timestamp: number | null = null;
  let seq: number | null = null;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    if (field === 1) timestamp = whole(reader.unsigned());
    else if (field === 2) metrics.push(reader.bytes());
    else if (field === 3) seq = whole(reader.unsigned());
    else if (field === 4 && textOf(reader.bytes()) === 'SPBV1.0_COMPRESSED') {
      throw new Error('the payload is compressed; switch that off at the edge node');
    } else if (field !== 4) reader.skip();
    if (metrics.length > metrics_max) throw new Error(`more than ${metrics_max} metrics`);
  }
  const read = metrics.map((metric) => metricOf(metric, timestamp, known));
  const unknown_aliases = read.flatMap(({ name, alias }) => (name === null ? [alias ?? '?'] : []));
  const payload = { timestamp, seq, metrics: read };
  return unknown_aliases.length === 0 ? payload : { ...payload, unknown_aliases };
}

/** Adds the metrics of a birth to those that are known. */
export function defineMetrics(known: MetricDefinitions, birth: SparkplugPayload): void {
  for (const { name, alias, datatype } of birth.metrics) {
    if (name === null) continue;
    known.by_name.set(name, { name, datatype });
    if (alias !== null) known.by_alias.set(alias, { name, datatype });
  }
}

function metricOf(
  bytes: Uint8Array,
  payload_timestamp: number | null,
  known: MetricDefinitions | undefined,
): SparkplugMetric {
  const reader = new ProtobufReader(bytes);
  let name: string | null = null;
  let alias: string | null = null;
  let timestamp: number | null = null;
  let datatype: number | undefined;
  let historical = false;
  let isNull = false;
  let raw: number | bigint | string | undefined;
  for (let field = reader.field(); field !== 0; field = reader.field()) {
    switch (field) {
      case 1:
        name = textOf(reader.bytes());
        break;
      case 2:
        alias = String(reader.unsigned());
        break;
      case 3:
        timestamp = whole(reader.unsigned());
        break;
      case 4:
        datatype = whole(reader.unsigned()) ?? undefined;
        break;
      case 5:
        historical = reader.unsigned() !== 0;
        break;
      case 7:
        isNull = reader.unsigned() !== 0;
        break;
      case 10:
      case 11:
      case 14:
        raw = reader.unsigned();
        break;
      case 12:
        raw = reader.float();
        break;
      case 13:
        raw = reader.double();
        break;
      case 15:
        raw = textOf(reader.bytes());
        break;
      default:
        reader.skip();
    }
  }
  const defined =
    name === null || name === ''
      ? known?.by_alias.get(alias ?? '')
      : (known?.by_name.get(name) ?? { name, datatype });
  datatype ??= defined?.datatype;
  const value = isNull ? null : typedValue(raw, datatype);
  timestamp ??= payload_timestamp;
  return { name: defined?.name ?? null, alias, datatype, timestamp, historical, value };
}

/** Bits of the signed types; they travel as the unsigned number of the same bits. */
const signed_bits: Record<number, number> = { 1: 8, 2: 16, 3: 32, 4: 64 };
const boolean_type = 11;

/** What is too large to be exact stays text, so that nothing is rounded unseen. */
function typedValue(raw: number | bigint | string | undefined, datatype: number | undefined) {
  if (typeof raw === 'string' || raw === undefined) return raw;
  if (datatype === boolean_type) return raw !== 0;
  const bits = signed_bits[datatype ?? 0];
  if (bits === undefined || !isInteger(raw)) return typeof raw === 'bigint' ? String(raw) : raw;
  const signed = BigInt.asIntN(bits, BigInt(raw));
  return Number.isSafeInteger(Number(signed)) ? Number(signed) : String(signed);
}

function isInteger(raw: number | bigint): boolean {
  return typeof raw === 'bigint' || Number.isInteger(raw);
}

function whole(value: number | bigint): number | null {
  return typeof value === 'number' ? value : null;
}

/** The metric by which a host asks an edge node for its births (6.4.20), as payload of an NCMD. */
export function rebirthRequest(timestamp: number): Uint8Array {
  const name = Buffer.from('Node Control/Rebirth');
  const time = varint(timestamp);
  // name = 1, timestamp = 3, datatype = 4, boolean_value = 14: each tag is number * 8 + kind.
  const metric = [0x0a, name.length, ...name, 0x18, ...time, 0x20, boolean_type, 0x70, 1];
  return Uint8Array.from([0x08, ...time, 0x12, metric.length, ...metric]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}
