/** Who takes part: two organizations, three stores in three time zones, every kind of sensor. */
import type { DoorSpec } from './simulator-messages.ts';

export interface StorePlan {
  readonly organization: string;
  readonly code: string;
  readonly timezone: string;
  /** Person who reads this store's hours at HQ. */
  readonly manager: string;
  /** Whether the gateway is the broker of its sensors or a client of one that is there. */
  readonly mqtt: 'listen' | 'connect';
  readonly doors: readonly DoorSpec[];
}

export const stores: readonly StorePlan[] = [
  {
    organization: 'acme',
    code: 'madrid',
    timezone: 'Europe/Madrid',
    manager: 'manager@madrid.example',
    mqtt: 'listen',
    doors: [
      { sensor_id: 'front-door', kind: 'mqtt-delta' },
      { sensor_id: 'side-door', kind: 'mqtt-trigger' },
    ],
  },
  {
    organization: 'acme',
    code: 'kolkata',
    // Half an hour off: its hours begin at :30 UTC.
    timezone: 'Asia/Kolkata',
    manager: 'manager@kolkata.example',
    mqtt: 'connect',
    doors: [
      { sensor_id: 'front-door', kind: 'mqtt-delta' },
      { sensor_id: 'mall-entrance', kind: 'modbus', unit: 5 },
    ],
  },
  {
    organization: 'globex',
    code: 'chicago',
    timezone: 'America/Chicago',
    manager: 'manager@chicago.example',
    mqtt: 'listen',
    doors: [
      { sensor_id: 'front-door', kind: 'serial', unit: '0001' },
      { sensor_id: 'parking', kind: 'modbus', unit: 7 },
      { sensor_id: 'back-door', kind: 'mqtt-trigger' },
    ],
  },
];
