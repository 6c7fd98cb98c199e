/** What sensors say about themselves; pure. Judged by what their gateway last heard of them. */
import type { WatchedSensor } from './alert-rules.ts';
import type { Judgement, Line } from './verdicts.ts';
import { Verdicts } from './verdicts.ts';

/** Percent of a battery that are gone. The last fifth lasts for some weeks; a visit needs planning. */
const battery_used_pct = { raise: 80, clear: 75 };

export function judgeDevices(
  sensors: readonly WatchedSensor[],
  lines: ReadonlyMap<string, Line>,
  open: ReadonlySet<string>,
): Judgement {
  const verdicts = new Verdicts(open);
  for (const sensor of sensors) {
    const line = (lines.get(sensor.gateway_id) ?? 'unknown') === 'unknown' ? 'unknown' : 'online';
    judgeDevice(sensor, line, verdicts);
  }
  return verdicts;
}

function judgeDevice(sensor: WatchedSensor, line: Line, verdicts: Verdicts): void {
  const { id, sensor_id, store_id, gateway_id, battery_pct } = sensor;
  const about = { subject: id, store_id };
  // A device without a battery, or one that took the place of another, is not low.
  verdicts.over(line, battery_pct === null ? 0 : 100 - battery_pct, battery_used_pct, {
    ...about,
    alert_type: 'battery_low',
    title: `Battery of sensor ${sensor_id} is at ${Math.round(battery_pct ?? 100)} %`,
    description: 'Once it is empty, the sensor falls silent and what passes is not counted.',
    metadata: { sensor_id, gateway_id, battery_pct },
  });
  const faults = Object.entries(sensor.faults ?? {}).flatMap(([name, has]) => (has ? [name] : []));
  const names = faults.sort().join(', ');
  verdicts.say(line, faults.length > 0, {
    ...about,
    alert_type: 'device_fault',
    title: `Sensor ${sensor_id} reports a fault: ${names.replaceAll('_', ' ')}`.slice(0, 255),
    description:
      'The device says so itself; what it counts meanwhile may be wrong. Its manual names the cause.',
    metadata: { sensor_id, gateway_id, faults: names },
  });
}
