/** Facts of a store that its reports are read by: how many fit in, how large, since when comparable. */
import { z } from 'zod';
import type { Database } from '../db/pool.ts';
import type { Organization } from './organizations.ts';
import type { Store } from './stores.ts';

const name = z.string().trim().min(1, '1 to 255 characters').max(255, '1 to 255 characters');
/** Digits and one point: no exponents, no empty text that would be a zero. */
const decimal = z
  .string()
  .regex(/^\d{1,12}(\.\d{1,12})?$/, { abort: true, error: 'use a number such as 120 or 85.5' })
  .transform(Number);

/** What a person may say of a store; `none` takes a fact back. */
export const storeFactsSchema = z.object({
  name: name.optional(),
  capacity: z
    .union([
      z.literal('none').transform(() => null),
      decimal.pipe(z.int('use whole people').min(1).max(1_000_000)),
    ])
    .optional(),
  area: z
    .union([
      z.literal('none').transform(() => null),
      decimal.pipe(z.number().positive().max(9_999_999.99)),
    ])
    .optional(),
  comparableSince: z
    .union([z.literal('none').transform(() => null), z.iso.date({ error: 'use YYYY-MM-DD' })])
    .optional(),
  active: z
    .enum(['yes', 'no'])
    .transform((text) => text === 'yes')
    .optional(),
});
export type StoreFacts = z.infer<typeof storeFactsSchema>;

export interface KnownFacts {
  name: string;
  capacity: number | null;
  area_m2: number | null;
  /** YYYY-MM-DD */
  comparable_since: string | null;
  is_active: boolean;
}

/** Changes what is given and leaves the rest. @returns what holds from now on. */
export async function setStoreFacts(
  db: Database,
  organization: Organization,
  store: Store,
  facts: StoreFacts,
): Promise<KnownFacts> {
  const columns = {
    name: facts.name,
    capacity: facts.capacity,
    area_m2: facts.area,
    comparable_since: facts.comparableSince,
    is_active: facts.active,
  };
  const given = Object.entries(columns).filter(([, value]) => value !== undefined);
  const set = given.map(([column], i) => `${column} = $${i + 3}, `).join('');
  const [known] = await db.inTenant(
    { organization_id: organization.id },
    'app_operator',
    ({ query }) =>
      query<KnownFacts>(
        `update public.stores set ${set}updated_at = now() where organization_id = $1 and id = $2
         returning name, capacity, area_m2::float8, comparable_since::text, is_active`,
        [organization.id, store.id, ...given.map(([, value]) => value)],
      ),
  );
  if (known === undefined) throw new Error('the store is gone');
  return known;
}
