-- Regions of stores, what a regional manager is assigned, and the facts of a store that reports need.

-- Up Migration

set local role app_owner;

create table public.regions (
  organization_id uuid not null references public.organizations (id),
  id uuid not null default gen_random_uuid(),
  code text not null check (code ~ '^[A-Za-z0-9._-]{1,50}$'),
  name text not null check (length(name) between 1 and 255),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (organization_id, id),
  constraint unique_region_code unique (organization_id, code)
);

alter table public.stores
  add column region_id uuid,
  add column capacity integer check (capacity between 1 and 1000000),
  add column area_m2 numeric(9, 2) check (area_m2 > 0),
  -- From this date on, a store counts in comparisons with the year before.
  add column comparable_since date,
  add foreign key (organization_id, region_id) references public.regions (organization_id, id)
    on delete set null (region_id);
create index stores_region on public.stores (organization_id, region_id);

create table app.membership_regions (
  organization_id uuid not null,
  user_id uuid not null,
  region_id uuid not null,
  primary key (organization_id, user_id, region_id),
  foreign key (organization_id, user_id) references app.memberships on delete cascade,
  foreign key (organization_id, region_id) references public.regions (organization_id, id)
    on delete cascade
);
create index membership_regions_region on app.membership_regions (organization_id, region_id);

grant create on schema app to app_definer;
grant select on public.stores, app.membership_regions to app_definer;
reset role;

set local role app_definer;
create or replace function app.member_store_ids() returns uuid[]
  language sql stable security definer set search_path = ''
begin atomic
  select coalesce(array_agg(x.store_id), '{}') from (
    select s.store_id from app.membership_stores s
    where s.organization_id = app.member_organization_id() and s.user_id = app.user_id()
    union
    select s.id from app.membership_regions r
    join public.stores s on s.organization_id = r.organization_id and s.region_id = r.region_id
    where r.organization_id = app.member_organization_id() and r.user_id = app.user_id()
      and app.member_role() = 'regional_manager'
  ) x;
end;
reset role;

set local role app_owner;
revoke create on schema app from app_definer;

alter table public.regions enable row level security;
alter table public.regions force row level security;
alter table app.membership_regions enable row level security;
alter table app.membership_regions force row level security;

create policy stores_select_definer on public.stores for select to app_definer using (true);
create policy membership_regions_select_definer on app.membership_regions for select
  to app_definer using (true);

grant select, insert, delete on public.regions,
  app.membership_regions to app_operator;
grant update (code, name, updated_at) on public.regions to app_operator;
grant update (name, region_id, capacity, area_m2, comparable_since, is_active, updated_at)
  on public.stores to app_operator;
create policy stores_update_operator on public.stores for update to app_operator
  using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
create policy regions_select_operator on public.regions for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy regions_insert_operator on public.regions for insert to app_operator
  with check (organization_id = (select app.organization_id()));
create policy regions_update_operator on public.regions for update to app_operator
  using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
create policy regions_delete_operator on public.regions for delete to app_operator
  using (organization_id = (select app.organization_id()));
create policy membership_regions_select_operator on app.membership_regions for select
  to app_operator using (organization_id = (select app.organization_id()));
create policy membership_regions_insert_operator on app.membership_regions for insert
  to app_operator with check (organization_id = (select app.organization_id()));
create policy membership_regions_delete_operator on app.membership_regions for delete
  to app_operator using (organization_id = (select app.organization_id()));

-- Hours and closures decide what an hour without readings means.
grant select on public.regions, app.membership_regions to authenticated;
create policy regions_select_person on public.regions for select to authenticated
  using (organization_id = (select app.member_organization_id()));
create policy membership_regions_select_person on app.membership_regions for select
  to authenticated using (organization_id = (select app.member_organization_id())
    and user_id = (select app.user_id()));

create or replace view public.user_profiles with (security_invoker = true) as
select u.id, m.organization_id, u.email, u.full_name, m.role,
  array(select s.store_id from app.membership_stores s
    where s.organization_id = m.organization_id and s.user_id = m.user_id) as assigned_stores,
  array(select r.region_id from app.membership_regions r
    where r.organization_id = m.organization_id and r.user_id = m.user_id) as assigned_regions,
  u.preferences, u.last_login_at, u.is_active, u.created_at, u.updated_at
from app.users u join app.memberships m on m.user_id = u.id;

-- A gateway belongs to one store: what it left under another store's name is not its own.
alter policy ingest_batches_select_ingest on app.ingest_batches
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()) and store_id = (select app.store_id()));
alter policy gateway_epochs_update_ingest on app.gateway_epochs
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()) and store_id = (select app.store_id()));
alter policy gateway_losses_select_ingest on app.gateway_losses
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()) and store_id = (select app.store_id()));
alter policy gateway_losses_update_ingest on app.gateway_losses
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()) and store_id = (select app.store_id()));
reset role;

-- Down Migration

set local role app_owner;
alter policy gateway_losses_update_ingest on app.gateway_losses
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()));
alter policy gateway_losses_select_ingest on app.gateway_losses
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()));
alter policy gateway_epochs_update_ingest on app.gateway_epochs
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()));
alter policy ingest_batches_select_ingest on app.ingest_batches
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()));
create or replace view public.user_profiles with (security_invoker = true) as
select u.id, m.organization_id, u.email, u.full_name, m.role,
  array(select s.store_id from app.membership_stores s
    where s.organization_id = m.organization_id and s.user_id = m.user_id) as assigned_stores,
  array[]::uuid[] as assigned_regions,
  u.preferences, u.last_login_at, u.is_active, u.created_at, u.updated_at
from app.users u join app.memberships m on m.user_id = u.id;
grant create on schema app to app_definer;
reset role;
set local role app_definer;
create or replace function app.member_store_ids() returns uuid[]
  language sql stable security definer set search_path = ''
begin atomic
  select coalesce(array_agg(s.store_id), '{}') from app.membership_stores s
  where s.organization_id = app.member_organization_id() and s.user_id = app.user_id();
end;
reset role;
set local role app_owner;
revoke create on schema app from app_definer;
drop table app.membership_regions;
drop policy stores_update_operator on public.stores;
drop policy stores_select_definer on public.stores;
revoke select on public.stores from app_definer;
revoke update (name, region_id, capacity, area_m2, comparable_since, is_active, updated_at)
  on public.stores from app_operator;
alter table public.stores drop column region_id, drop column capacity, drop column area_m2,
  drop column comparable_since;
drop table public.regions;
reset role;
