-- Organizations, their stores, and who may see which.

-- Up Migration

set local role app_owner;

create table public.organizations (
  id uuid primary key default gen_random_uuid(),
  name text not null check (length(name) between 1 and 255),
  slug text not null unique check (length(slug) <= 255),
  settings jsonb not null default '{}',
  subscription_tier text not null default 'free',
  subscription_expires_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint valid_slug check (slug ~ '^[a-z0-9-]+$')
);

create table public.stores (
  organization_id uuid not null references public.organizations (id),
  id uuid not null default gen_random_uuid(),
  name text not null check (length(name) between 1 and 255),
  code text not null check (code ~ '^[A-Za-z0-9._-]{1,50}$'),
  timezone text not null,
  location jsonb not null default '{}',
  metadata jsonb not null default '{}',
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (organization_id, id),
  constraint unique_store_code unique (organization_id, code),
  constraint valid_timezone check (app.is_timezone(timezone))
);

-- Who a person is; what they may do stands in memberships, so that nobody who edits a profile
-- edits a role, and one person can work for two organizations.
create table app.users (
  id uuid primary key default gen_random_uuid(),
  email text not null check (length(email) <= 255 and email like '%_@_%'),
  full_name text check (length(full_name) <= 255),
  preferences jsonb not null default '{}',
  last_login_at timestamptz,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index users_email on app.users (lower(email));

create type public.user_role as enum (
  'tenant_admin', 'regional_manager', 'store_manager', 'analyst', 'store_staff', 'viewer'
);

create table app.memberships (
  organization_id uuid not null references public.organizations (id),
  user_id uuid not null references app.users (id) on delete cascade,
  role public.user_role not null default 'viewer',
  created_at timestamptz not null default now(),
  primary key (organization_id, user_id)
);
create index memberships_user on app.memberships (user_id);

create table app.membership_stores (
  organization_id uuid not null,
  user_id uuid not null,
  store_id uuid not null,
  primary key (organization_id, user_id, store_id),
  foreign key (organization_id, user_id) references app.memberships on delete cascade,
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
    on delete cascade
);
create index membership_stores_store on app.membership_stores (organization_id, store_id);

grant create on schema app to app_definer;
grant select on public.organizations, app.users, app.memberships, app.membership_stores
  to app_definer;
reset role;

-- One request works in one organization: the one its claims name, else the only one there is.
-- A person in two organizations whose claims name none sees nothing rather than a mixture.
set local role app_definer;
create function app.member_organization_id() returns uuid
  language sql stable security definer set search_path = ''
begin atomic
  select case when count(*) = 1 then (array_agg(m.organization_id))[1] end
  from app.memberships m
  join app.users u on u.id = m.user_id and u.is_active
  join public.organizations o on o.id = m.organization_id and o.deleted_at is null
  where m.user_id = app.user_id()
    and (app.claims() ->> 'organization_id' is null
      or m.organization_id = (app.claims() ->> 'organization_id')::uuid);
end;
create function app.member_role() returns public.user_role
  language sql stable security definer set search_path = ''
begin atomic
  select m.role from app.memberships m
  where m.organization_id = app.member_organization_id() and m.user_id = app.user_id();
end;
create function app.member_all_stores() returns boolean
  language sql stable security definer set search_path = ''
  return coalesce(app.member_role() in ('tenant_admin', 'analyst'), false);
create function app.member_store_ids() returns uuid[]
  language sql stable security definer set search_path = ''
begin atomic
  select coalesce(array_agg(s.store_id), '{}') from app.membership_stores s
  where s.organization_id = app.member_organization_id() and s.user_id = app.user_id();
end;
-- Rows that only stand for numbers are for every role; single crossings are not.
create function app.member_reads_raw() returns boolean
  language sql stable security definer set search_path = ''
  return coalesce(app.member_role() not in ('store_staff', 'viewer'), false);
revoke execute on function app.member_organization_id(), app.member_role(),
  app.member_all_stores(), app.member_store_ids(), app.member_reads_raw() from public;
grant execute on function app.member_organization_id(), app.member_role(),
  app.member_all_stores(), app.member_store_ids(), app.member_reads_raw() to authenticated;

create function app.active_organization_ids() returns setof uuid
  language sql stable security definer set search_path = ''
begin atomic
  select o.id from public.organizations o where o.deleted_at is null;
end;
revoke execute on function app.active_organization_ids() from public;
grant execute on function app.active_organization_ids() to app_health, app_operator;
reset role;

set local role app_owner;
revoke create on schema app from app_definer;

alter table public.organizations enable row level security;
alter table public.organizations force row level security;
alter table public.stores enable row level security;
alter table public.stores force row level security;
alter table app.users enable row level security;
alter table app.users force row level security;
alter table app.memberships enable row level security;
alter table app.memberships force row level security;
alter table app.membership_stores enable row level security;
alter table app.membership_stores force row level security;

create policy organizations_select_definer on public.organizations for select
  to app_definer using (true);
create policy users_select_definer on app.users for select to app_definer using (true);
create policy memberships_select_definer on app.memberships for select
  to app_definer using (true);
create policy membership_stores_select_definer on app.membership_stores for select
  to app_definer using (true);

grant select on public.organizations to app_enroll, app_ingest, app_rollup, app_health, authenticated;
grant select on public.organizations to app_operator;
grant insert (name, slug) on public.organizations to app_operator;
create policy organizations_select_enroll on public.organizations for select
  to app_enroll using (id = (select app.organization_id()));
create policy organizations_select_ingest on public.organizations for select
  to app_ingest using (id = (select app.organization_id()));
create policy organizations_select_rollup on public.organizations for select
  to app_rollup using (id = (select app.organization_id()));
create policy organizations_select_health on public.organizations for select
  to app_health using (id = (select app.organization_id()));
create policy organizations_select_person on public.organizations for select
  to authenticated using (id = (select app.member_organization_id()) and deleted_at is null);
create policy organizations_select_operator on public.organizations for select
  to app_operator using (true);
create policy organizations_insert_operator on public.organizations for insert
  to app_operator with check (deleted_at is null);

grant select on public.stores to app_enroll, app_ingest, app_rollup, app_health, authenticated;
grant select on public.stores to app_operator;
grant insert (organization_id, name, code, timezone) on public.stores to app_operator;
create policy stores_select_enroll on public.stores for select to app_enroll
  using (organization_id = (select app.organization_id()) and id = (select app.store_id()));
create policy stores_select_ingest on public.stores for select to app_ingest
  using (organization_id = (select app.organization_id()) and id = (select app.store_id()));
create policy stores_select_rollup on public.stores for select to app_rollup
  using (organization_id = (select app.organization_id()));
create policy stores_select_health on public.stores for select to app_health
  using (organization_id = (select app.organization_id()));
create policy stores_select_person on public.stores for select to authenticated
  using (organization_id = (select app.member_organization_id())
    and ((select app.member_all_stores()) or id = any ((select app.member_store_ids())::uuid[])));
create policy stores_select_operator on public.stores for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy stores_insert_operator on public.stores for insert to app_operator
  with check (organization_id = (select app.organization_id()));

-- Users belong to no organization; the operator reaches them by e-mail, everybody else only through
-- a membership.
grant select, insert on app.users to app_operator;
create policy users_select_operator on app.users for select to app_operator using (true);
create policy users_insert_operator on app.users for insert to app_operator
  with check (is_active);
grant select on app.users to authenticated;
create policy users_select_person on app.users for select to authenticated
  using (id = (select app.user_id()));

grant select, insert, update (role) on app.memberships to app_operator;
create policy memberships_select_operator on app.memberships for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy memberships_insert_operator on app.memberships for insert to app_operator
  with check (organization_id = (select app.organization_id()));
create policy memberships_update_operator on app.memberships for update to app_operator
  using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
grant select on app.memberships to authenticated;
create policy memberships_select_person on app.memberships for select to authenticated
  using (organization_id = (select app.member_organization_id())
    and user_id = (select app.user_id()));

grant select, insert, delete on app.membership_stores to app_operator;
create policy membership_stores_select_operator on app.membership_stores for select
  to app_operator using (organization_id = (select app.organization_id()));
create policy membership_stores_insert_operator on app.membership_stores for insert
  to app_operator with check (organization_id = (select app.organization_id()));
create policy membership_stores_delete_operator on app.membership_stores for delete
  to app_operator using (organization_id = (select app.organization_id()));
grant select on app.membership_stores to authenticated;
create policy membership_stores_select_person on app.membership_stores for select
  to authenticated
  using (organization_id = (select app.member_organization_id())
    and user_id = (select app.user_id()));

-- The person asking, with the columns of one profile. A view, because role and stores belong to a
-- membership; nobody can update it.
create view public.user_profiles with (security_invoker = true) as
select u.id, m.organization_id, u.email, u.full_name, m.role,
  array(select s.store_id from app.membership_stores s
    where s.organization_id = m.organization_id and s.user_id = m.user_id) as assigned_stores,
  array[]::uuid[] as assigned_regions,
  u.preferences, u.last_login_at, u.is_active, u.created_at, u.updated_at
from app.users u join app.memberships m on m.user_id = u.id;
grant select on public.user_profiles to authenticated, app_operator;
reset role;

-- Down Migration

set local role app_owner;
drop view public.user_profiles;
drop policy organizations_select_person on public.organizations;
drop policy stores_select_person on public.stores;
drop policy memberships_select_person on app.memberships;
drop policy membership_stores_select_person on app.membership_stores;
reset role;
set local role app_definer;
drop function app.active_organization_ids(), app.member_reads_raw(), app.member_store_ids(),
  app.member_all_stores(), app.member_role(), app.member_organization_id();
reset role;
set local role app_owner;
drop table app.membership_stores, app.memberships, app.users, public.stores, public.organizations;
drop type public.user_role;
reset role;
