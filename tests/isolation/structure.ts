/** What must hold of every table, policy, view, function and role, whatever they are for. */
import type { Query } from '../../cloud-sync/db/pool.ts';
import type { Failure } from './probe.ts';

/** Each lists things of one kind with a reason where one is wrong; null where it is right. */
const rules: readonly string[] = [
  `select c.oid::regclass::text as thing, case
     when not c.relrowsecurity then 'row security is off'
     when not c.relforcerowsecurity then 'row security is not forced on the owner'
     when pg_get_userbyid(c.relowner) <> 'app_owner' then 'is not owned by app_owner'
     when not c.relispartition and not exists (select from pg_policy p where p.polrelid = c.oid)
       then 'has no policy: nobody can read it' end as wrong
   from pg_class c where c.relnamespace::regnamespace::text in ('public', 'app', 'parts')
     and c.relkind in ('r', 'p')`,
  `select polname || ' on ' || polrelid::regclass as thing, case
     when polcmd = '*' then 'is for every command'
     when cardinality(polroles) <> 1 or 0 = any (polroles) then 'is not for one role'
     when not polpermissive then 'is restrictive'
     when polcmd in ('a', 'w') and polwithcheck is null then 'does not check the new row'
     when count(*) over (partition by polrelid, polcmd, polroles) > 1 then 'is not the only one'
     end as wrong
   from pg_policy`,
  `select p.oid::regprocedure::text as thing, case
     when not coalesce(p.proconfig @> array['search_path=""'], false) then 'has a search_path of its caller'
     when p.prosecdef and pg_get_userbyid(p.proowner) not in ('app_definer', 'app_owner')
       then 'runs as somebody else'
     when has_function_privilege('public', p.oid, 'execute') then 'may be called by everybody'
     end as wrong
   from pg_proc p where p.pronamespace::regnamespace::text in ('public', 'app', 'parts')`,
  `select c.oid::regclass::text as thing, case
     when c.relkind = 'm' then 'a materialized view knows no row security'
     when c.relkind = 'f' then 'a foreign table knows no row security'
     when not coalesce(c.reloptions @> array['security_invoker=true'], false)
       then 'reads as its owner' end as wrong
   from pg_class c where c.relnamespace::regnamespace::text in ('public', 'app', 'parts')
     and c.relkind in ('v', 'm', 'f')`,
  `select c.conrelid::regclass || ' ' || c.conname as thing,
     case when c.confrelid <> 'app.users'::regclass and not exists (
       select from generate_subscripts(c.conkey, 1) i
       join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[i]
       join pg_attribute f on f.attrelid = c.confrelid and f.attnum = c.confkey[i]
       where a.attname = 'organization_id'
         and f.attname = case c.confrelid when 'public.organizations'::regclass
           then 'id' else 'organization_id' end)
     then 'may refer to another organization' end as wrong
   from pg_constraint c where c.contype = 'f'
     and c.connamespace::regnamespace::text in ('public', 'app', 'parts')`,
  `select r.rolname::text as thing, case
     when r.rolsuper or r.rolbypassrls then 'steps around row security'
     when r.rolname <> 'cloud_sync' and r.rolcanlogin then 'can log in'
     when pg_has_role('cloud_sync', 'app_owner', 'member')
       or pg_has_role('cloud_sync', 'app_definer', 'member') then 'can become the owner'
     end as wrong
   from pg_roles r where r.rolname like 'app\\_%' or r.rolname in ('cloud_sync', 'authenticated')`,
  `select c.oid::regclass || ' ' || a.privilege_type || ' to ' || a.grantee::regrole as thing,
     case when a.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER')
       then 'row security does not hold it' end as wrong
   from pg_class c, aclexplode(c.relacl) a
   where c.relnamespace::regnamespace::text in ('public', 'app', 'parts')
     and a.grantee <> 0 and a.grantee <> c.relowner`,
];

export async function structureFailures(
  query: Query,
): Promise<{ cases: number; failures: Failure[] }> {
  const things: { thing: string; wrong: string | null }[] = [];
  for (const rule of rules) things.push(...(await query<(typeof things)[number]>(rule)));
  const failures = things
    .filter(({ wrong }) => wrong !== null)
    .map(({ thing, wrong }) => ({ kind: 'leak' as const, attempt: thing, detail: wrong ?? '' }));
  return { cases: things.length, failures };
}
