/**
 * `POST /v1/commissioning`: evidence that a sensor counts right, from the person who stood below it.
 *
 * A walk test compares a few steps with what the sensor counted; an audit compares a count by hand,
 * at least a hundred people each way. A record is stored once, however often it is sent.
 */
import { z } from 'zod';
import { sensorIdSchema, text } from './names.ts';

const instant = z.number().int().min(0).max(253_402_300_799_999);
const people = z.number().int().min(0).max(1_000_000);

/** People each way that an audit needs before its accuracy says something. */
export const audit_people_min = 100;
/** Share of the people by hand that the sensor may differ by, each way, is one minus this. */
export const audit_accuracy_min = 0.95;

export const commissioningSchema = z.object({
  /** Made by the gateway; a record that HQ knows is not stored again. */
  record_id: z.uuid(),
  kind: z.enum(['walk_test', 'audit']),
  /** The device, or one of its lines. */
  sensor_id: sensorIdSchema,
  /** Who walked or counted, as the person said it. */
  who: text(100).min(1),
  profile: text(100),
  /** How the sensor was said to be mounted at the time. */
  direction: text(20),
  started_at: instant,
  ended_at: instant,
  /** People who walked: of a walk test as agreed, of an audit as counted by hand. */
  expected_in: people,
  expected_out: people,
  counted_in: people,
  counted_out: people,
  verdict: z.enum(['pass', 'swapped', 'miscounted', 'too_few']),
});
export type CommissioningRecord = z.infer<typeof commissioningSchema>;

export const commissioningAnswerSchema = z.object({
  record_id: z.uuid(),
  /** `known`: HQ has had it before. */
  stored: z.enum(['new', 'known']),
});
export type CommissioningAnswer = z.infer<typeof commissioningAnswerSchema>;
