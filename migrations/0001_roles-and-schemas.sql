-- Roles, schemas and the identity of a transaction.
--
-- Roles belong to the cluster, not to one database, so the way down leaves them: another database
-- of the same server may use them. None of them is a superuser, has BYPASSRLS, or (but for the
-- service login) can log in.

-- Up Migration

do $$
declare
  wanted text;
begin
  foreach wanted in array array[
    'app_owner',     -- owns schemas and tables; never serves a request
    'app_definer',   -- owns the functions that look across organizations
    'app_enroll',    -- exchanges a token for a credential, as one store
    'app_ingest',    -- writes what a gateway sends, as one gateway
    'app_rollup',    -- recomputes hours, as one organization
    'app_health',    -- raises and resolves alerts, as one organization
    'app_operator',  -- administration on the command line
    'authenticated'  -- a person; the name PostgREST and Supabase use
  ] loop
    if to_regrole(wanted) is null then
      execute format('create role %I nologin', wanted);
    end if;
  end loop;
  -- NOINHERIT: the login alone may do nothing; every transaction says which role it works as.
  if to_regrole('cloud_sync') is null then
    create role cloud_sync login noinherit;
  end if;
end $$;

grant app_enroll, app_ingest, app_rollup, app_health, app_operator, authenticated to cloud_sync;

do $$
begin
  -- A migration login without superuser must be a member before it may act as these roles.
  execute format('grant app_owner, app_definer to %I', current_user);
  execute format('grant create on database %I to app_owner', current_database());
end $$;

grant usage, create on schema public to app_owner;
grant usage on schema ops to app_operator;
grant select on ops.migrations to app_operator;

create schema app authorization app_owner;
-- Partitions live where no role has USAGE: a partition queried by name has its own row security
-- state, and privileges on the parent do not protect it.
create schema parts authorization app_owner;

set local role app_owner;
comment on schema app is 'The machinery: identity, gateways, ledgers. Not for queries by people.';
comment on schema parts is 'Monthly partitions of the raw tables. Query the parents in public.';
grant usage on schema app
  to app_definer, app_enroll, app_ingest, app_rollup, app_health, app_operator;
grant usage on schema public
  to app_definer, app_enroll, app_ingest, app_rollup, app_health, app_operator, authenticated;
alter default privileges for role app_owner revoke execute on functions from public;

-- The tenant of service work: set inside the transaction, gone with it.
create function app.organization_id() returns uuid
  language sql stable parallel safe set search_path = ''
  return nullif(current_setting('app.organization_id', true), '')::uuid;
create function app.store_id() returns uuid
  language sql stable parallel safe set search_path = ''
  return nullif(current_setting('app.store_id', true), '')::uuid;
create function app.gateway_id() returns uuid
  language sql stable parallel safe set search_path = ''
  return nullif(current_setting('app.gateway_id', true), '')::uuid;
grant execute on function app.organization_id(), app.store_id(), app.gateway_id()
  to app_enroll, app_ingest, app_rollup, app_health, app_operator;

-- The person asking, from the claims that PostgREST and Supabase set.
create function app.claims() returns jsonb
  language sql stable parallel safe set search_path = ''
  return nullif(current_setting('request.jwt.claims', true), '')::jsonb;
create function app.user_id() returns uuid
  language sql stable parallel safe set search_path = ''
  return (app.claims() ->> 'sub')::uuid;
grant execute on function app.claims(), app.user_id() to app_definer, authenticated;

-- Refuses the abbreviations, the leap-second zones and the machine's own zone among the names.
create function app.is_timezone(zone text) returns boolean
  language sql stable set search_path = ''
  return zone = 'UTC' or (
    zone like '%/%' and zone not like 'posix/%' and zone not like 'right/%'
    and exists (select from pg_catalog.pg_timezone_names z where z.name = zone));
grant execute on function app.is_timezone(text) to app_operator;
reset role;

-- Down Migration

set local role app_owner;
drop schema parts;
drop schema app cascade;
alter default privileges for role app_owner grant execute on functions to public;
revoke usage on schema public
  from app_definer, app_enroll, app_ingest, app_rollup, app_health, app_operator, authenticated;
reset role;
revoke usage, create on schema public from app_owner;
revoke select on ops.migrations from app_operator;
revoke usage on schema ops from app_operator;
do $$
begin
  execute format('revoke create on database %I from app_owner', current_database());
end $$;
