/** Which messages of the tortured sensors a reading holds: each covers an interval of its own. */
import type { Span } from './buffer-contents.ts';
import { type DeltaSensor, interval_ms } from './sensors.ts';

/** `sensor number`. */
export type MessageName = `${string} ${number}`;

export function messagesIn(
  { sensor_id, observed_at, interval_s }: Span,
  sensors: readonly Pick<DeltaSensor, 'sensor_id' | 'start'>[],
): MessageName[] {
  const sensor = sensors.find((one) => one.sensor_id === sensor_id);
  if (sensor === undefined) return [];
  const first = Math.floor((observed_at - sensor.start) / interval_ms);
  const count = Math.round((interval_s * 1000) / interval_ms);
  return Array.from({ length: count }, (_, at): MessageName => `${sensor_id} ${first + at}`);
}
