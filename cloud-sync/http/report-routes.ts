/** Reports over HTTP, for programs with a key: what the member sees that the key stands for. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Database } from '../db/pool.ts';
import { alertsOf } from '../reports/alerts.ts';
import { daysOf, totalsOf } from '../reports/days.ts';
import { hoursOf } from '../reports/hours.ts';
import { storesOf } from '../reports/stores.ts';
import type { KeyIdentity } from '../tenants/api-keys.ts';
import { authenticateKey } from '../tenants/api-keys.ts';
import type { Admission } from './admission.ts';
import { validate } from './json.ts';

const day_ms = 86_400_000;
/** A year with its leap day and the hours on both sides of it. */
const window_days_max = 367;

const store = z.string().min(1).max(50);
const instant = z.iso
  .datetime({
    offset: true,
    abort: true,
    error: 'use a time with its offset, such as 2026-11-21T09:00:00Z',
  })
  .transform((text) => new Date(text));
const windowSchema = z
  .strictObject({ store, from: instant, to: instant })
  .refine(({ from, to }) => from < to, { path: ['to'], error: 'is not after from' })
  .refine(({ from, to }) => to.getTime() - from.getTime() <= window_days_max * day_ms, {
    path: ['to'],
    error: `is more than ${window_days_max} days after from`,
  });
const daysSchema = z.strictObject({ store });
const alertsSchema = z.strictObject({ open: z.stringbool().default(false) });

export function reportRoutes(
  app: FastifyInstance,
  { db, admission }: { db: Database; admission: Admission },
): void {
  const route = <T>(
    path: string,
    schema: z.ZodType<T>,
    answer: (person: KeyIdentity, asked: T) => Promise<object>,
  ) =>
    app.get(`/v1/reports/${path}`, async (request: FastifyRequest) => {
      const { authorization } = request.headers;
      const person = await admission.inTurn('key', () =>
        authenticateKey(db, authorization, 'report:read'),
      );
      const asked = validate(schema, request.query, 'query_invalid');
      return admission.inTurn('report', () => answer(person, asked));
    });

  route('stores', z.strictObject({}), async (person) => ({ stores: await storesOf(db, person) }));
  route('hours', windowSchema, (person, { store, ...window }) =>
    totalsOf(db, person, store, window),
  );
  route('sensor-hours', windowSchema, (person, { store, ...window }) =>
    hoursOf(db, person, store, window),
  );
  route('days', daysSchema, (person, asked) => daysOf(db, person, asked.store));
  route('alerts', alertsSchema, async (person, { open }) => ({
    alerts: await alertsOf(db, person, open),
  }));
}
