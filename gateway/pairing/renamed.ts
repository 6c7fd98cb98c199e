/** Sensors as they are with the names that HQ gives them and their zones. Pure. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { DesiredConfiguration } from '../../shared/wire/configuration.ts';
import type { Profile } from '../profiles/profile.ts';
import { kindOf, type Sensor } from './sensor.ts';

/**
 * @param named the sensor of an id, with its profile; throws where there is none.
 * @returns those that get another name; zones that nobody names keep theirs.
 * @throws FootbridgeError sensor_invalid for zones of what counts a line.
 */
export function renamed(
  named: (sensor_id: string) => { readonly sensor: Sensor; readonly profile: Profile },
  sensors: DesiredConfiguration['sensors'],
  regions: DesiredConfiguration['regions'],
): Sensor[] {
  const changed = new Map<string, Sensor>();
  const of = (sensor_id: string) => changed.get(sensor_id) ?? named(sensor_id).sensor;
  for (const { sensor_id, name } of sensors) changed.set(sensor_id, { ...of(sensor_id), name });
  for (const { sensor_id, region_id, name } of regions) {
    const sensor = of(sensor_id);
    if (kindOf(named(sensor_id).profile) === 'line') {
      throw new FootbridgeError('sensor_invalid', `${sensor_id} counts a line, it has no zones`);
    }
    const others = (sensor.regions ?? []).filter((region) => region.region_id !== region_id);
    changed.set(sensor_id, { ...sensor, regions: [...others, { region_id, name }] });
  }
  return [...changed.values()];
}
