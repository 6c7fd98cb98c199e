-- Zones of a store, keys for programs, and the trail of every change to the configuration.

-- Up Migration

set local role app_owner;


-- A simple outline: 3 to 1,000 corners, each two finite numbers.
create function app.is_polygon(outline jsonb) returns boolean
  language sql immutable parallel safe set search_path = ''
  return case when jsonb_typeof(outline) <> 'array' then false
    else jsonb_array_length(outline) between 3 and 1000
      and not jsonb_path_exists(outline,
        'strict $[*] ? (@.type() != "array" || @.size() != 2
          || @[0].type() != "number" || @[1].type() != "number")', '{}', true) end;
grant execute on function app.is_polygon(jsonb) to app_operator;

create table public.region_configurations (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  store_id uuid not null,
  sensor_id text not null,
  region_id text not null check (length(region_id) between 1 and 100),
  name text not null check (length(name) between 1 and 255),
  type text not null default 'general' check (length(type) between 1 and 50),
  polygon jsonb,
  metadata jsonb not null default '{}' check (pg_column_size(metadata) <= 65536),
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (organization_id, id),
  constraint unique_region unique (organization_id, store_id, sensor_id, region_id),
  constraint valid_polygon check (polygon is null or app.is_polygon(polygon)),
  foreign key (organization_id, store_id, sensor_id)
    references public.sensor_metadata (organization_id, store_id, sensor_id) on delete cascade
);

create table app.api_keys (
  organization_id uuid not null references public.organizations (id),
  id uuid not null default gen_random_uuid(),
  name text not null check (length(name) between 1 and 255),
  -- What a list may show of it.
  prefix text not null check (length(prefix) = 8),
  -- SHA-256 of 32 random bytes: nothing to guess, so no slow hash is needed.
  key_hash bytea not null check (length(key_hash) = 32),
  scopes text[] not null
    check (cardinality(scopes) > 0 and scopes <@ array['report:read', 'raw:read']),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  primary key (organization_id, id)
);
create index api_keys_hash on app.api_keys (key_hash);

create table public.audit_logs (
  organization_id uuid not null,
  id bigint generated always as identity,
  created_at timestamptz not null default now(),
  -- Snapshots, not references: the trail outlives the person.
  actor text not null,
  source text not null,
  action text not null check (action in ('insert', 'update', 'delete')),
  relation text not null,
  before jsonb,
  after jsonb,
  primary key (organization_id, id),
  constraint says_what_changed check (
    (action = 'insert') = (before is null) and (action = 'delete') = (after is null))
);
create index audit_logs_created on public.audit_logs (organization_id, created_at);

grant create on schema app to app_definer;
grant insert on public.audit_logs to app_definer;
grant select on app.api_keys to app_definer;
reset role;

set local role app_definer;
-- Written by whoever changes the row, into a table that nobody can change. Secrets stay out, and an
-- update that changed nothing is none.
create function app.audit() returns trigger
  language plpgsql security definer set search_path = '' as $$
declare
  secrets constant text[] := array['key_hash', 'secret_hash', 'token_hash'];
  old_row jsonb := case when tg_op = 'INSERT' then null else to_jsonb(old) - secrets end;
  new_row jsonb := case when tg_op = 'DELETE' then null else to_jsonb(new) - secrets end;
  some_row jsonb := coalesce(new_row, old_row);
begin
  if old_row - 'updated_at' = new_row - 'updated_at' then return null; end if;
  insert into public.audit_logs (organization_id, actor, source, action, relation, before, after)
  values (
    (some_row ->> case when tg_table_name = 'organizations' then 'id' else 'organization_id' end)::uuid,
    coalesce('user ' || (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'),
      nullif(current_setting('app.actor', true), ''), session_user),
    -- `role` is who the transaction works as, application_name the program.
    coalesce(nullif(current_setting('role'), 'none'), session_user) || ' in ' || current_setting('application_name'),
    lower(tg_op), tg_table_schema || '.' || tg_table_name, old_row, new_row);
  return null;
end $$;
revoke execute on function app.audit() from public;
grant execute on function app.audit() to app_owner;
-- The one look-up of a key that cannot name its organization yet.
create function app.find_api_key(hash bytea)
  returns table (organization_id uuid, key_id uuid, scopes text[])
  language sql stable security definer set search_path = ''
begin atomic
  select k.organization_id, k.id, k.scopes from app.api_keys k
  where k.key_hash = hash and k.revoked_at is null
    and (k.expires_at is null or k.expires_at > now());
end;
revoke execute on function app.find_api_key(bytea) from public;
grant execute on function app.find_api_key(bytea) to app_operator;
reset role;

set local role app_owner;
revoke create on schema app from app_definer;
alter table public.region_configurations enable row level security;
alter table public.region_configurations force row level security;
alter table app.api_keys enable row level security;
alter table app.api_keys force row level security;
alter table public.audit_logs enable row level security;
alter table public.audit_logs force row level security;

create policy audit_logs_insert_definer on public.audit_logs for insert to app_definer
  with check (true);
create policy api_keys_select_definer on app.api_keys for select to app_definer using (true);


grant select, insert, delete on public.region_configurations to app_operator;
grant update (name, type, polygon, metadata, is_active, updated_at)
  on public.region_configurations to app_operator;
create policy region_configurations_select_operator on public.region_configurations for select
  to app_operator using (organization_id = (select app.organization_id()));
create policy region_configurations_insert_operator on public.region_configurations for insert
  to app_operator with check (organization_id = (select app.organization_id()));
create policy region_configurations_update_operator on public.region_configurations for update
  to app_operator using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
create policy region_configurations_delete_operator on public.region_configurations for delete
  to app_operator using (organization_id = (select app.organization_id()));

-- Hashes are written, never read.
grant select (organization_id, id, name, prefix, scopes, created_at, expires_at, revoked_at),
  insert (organization_id, name, prefix, key_hash, scopes, expires_at), update (revoked_at)
  on app.api_keys to app_operator;
create policy api_keys_select_operator on app.api_keys for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy api_keys_insert_operator on app.api_keys for insert to app_operator
  with check (organization_id = (select app.organization_id()));
create policy api_keys_update_operator on app.api_keys for update to app_operator
  using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));

grant select on public.audit_logs to app_operator, authenticated;
create policy audit_logs_select_operator on public.audit_logs for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy audit_logs_select_person on public.audit_logs for select to authenticated
  using (organization_id = (select app.member_organization_id())
    and (select app.member_role()) = 'tenant_admin');

grant select on public.region_configurations to authenticated;
create policy region_configurations_select_person on public.region_configurations for select
  to authenticated using (organization_id = (select app.member_organization_id())
    and ((select app.member_all_stores())
      or store_id = any ((select app.member_store_ids())::uuid[])));

-- Configuration only: tables that gateways write have no triggers, but where a person revokes.
do $$
declare
  audited text;
begin
  foreach audited in array array['public.organizations', 'public.stores', 'public.regions',
    'public.store_hours', 'public.store_closures', 'public.region_configurations',
    'app.memberships', 'app.membership_stores', 'app.membership_regions', 'app.api_keys']
  loop
    execute format('create trigger audit after insert or update or delete on %s '
      'for each row execute function app.audit()', audited);
  end loop;
end $$;
create trigger audit after update on app.gateways for each row
  when (old.revoked_at is distinct from new.revoked_at or old.store_id <> new.store_id)
  execute function app.audit();
create trigger audit_enrolment after insert on app.gateways for each row
  execute function app.audit();
create trigger audit after update on app.gateway_credentials for each row
  when (old.revoked_at is distinct from new.revoked_at) execute function app.audit();
reset role;

-- Down Migration

set local role app_owner;
do $$
declare
  audited text;
begin
  foreach audited in array array['public.organizations', 'public.stores', 'public.regions',
    'public.store_hours', 'public.store_closures', 'public.region_configurations',
    'app.memberships', 'app.membership_stores', 'app.membership_regions', 'app.api_keys',
    'app.gateways', 'app.gateway_credentials']
  loop
    execute format('drop trigger audit on %s', audited);
  end loop;
end $$;
drop trigger audit_enrolment on app.gateways;
reset role;
set local role app_definer;
drop function app.find_api_key(bytea), app.audit();
reset role;
set local role app_owner;
drop table public.audit_logs, app.api_keys, public.region_configurations;
drop function app.is_polygon(jsonb);
reset role;
