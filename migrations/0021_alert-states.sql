-- An alert through its life: pending, firing, recovering, resolved; who has taken it on, what is
-- muted, and when somebody works on a store.

-- Up Migration

set local role app_owner;
grant create on schema app to app_definer;
reset role;

set local role app_definer;
-- Viewers look and analysts count; the others may say that they have taken an alert on,
create function app.member_acknowledges() returns boolean
  language sql stable security definer set search_path = ''
  return coalesce(app.member_role() not in ('analyst', 'viewer'), false);
-- and those who answer for stores may decide that nobody is told.
create function app.member_mutes() returns boolean
  language sql stable security definer set search_path = ''
  return coalesce(app.member_role() in ('tenant_admin', 'regional_manager', 'store_manager'), false);
-- The address of the person asking, for what is signed with it.
create function app.member_email() returns text
  language sql stable security definer set search_path = ''
begin atomic
  select u.email from app.users u where u.id = app.user_id();
end;
revoke execute on function app.member_acknowledges(), app.member_mutes(), app.member_email()
  from public;
grant execute on function app.member_acknowledges(), app.member_mutes(), app.member_email()
  to authenticated, app_owner;
reset role;

set local role app_owner;
revoke create on schema app from app_definer;

alter table public.alerts
  add column state text not null default 'firing',
  -- Since when its cause has been gone; null while it holds.
  add column recovering_since timestamptz;
comment on column public.alerts.created_at is
  'When its cause was first seen; it became an alert when that had lasted.';
-- Not an update: row security holds the owner too, who would find no row.
alter table public.alerts alter column state type text
  using case when is_resolved then 'resolved' else 'firing' end;
alter table public.alerts
  add constraint valid_state check (state in ('firing', 'recovering', 'resolved')),
  add constraint state_says_the_same check (
    (state = 'resolved') = is_resolved
    and (state <> 'recovering' or recovering_since is not null)),
  add constraint alerts_place unique (organization_id, store_id, id);

-- What may yet become an alert: hidden, because most of it never does.
create table app.alert_pending (
  organization_id uuid not null references public.organizations (id),
  dedup_key text not null,
  since timestamptz not null,
  primary key (organization_id, dedup_key)
);

-- Written once, and by nobody in another's name: the columns that say who and when are not granted.
-- They are signed with an address, because nobody may look up those of colleagues.
create table public.alert_acknowledgements (
  organization_id uuid not null,
  alert_id uuid not null,
  store_id uuid not null,
  acknowledged_at timestamptz not null default now(),
  acknowledged_by text default app.member_email(),
  note text not null default '' check (length(note) <= 1000),
  primary key (organization_id, alert_id),
  foreign key (organization_id, store_id, alert_id)
    references public.alerts (organization_id, store_id, id) on delete cascade
);
create index alert_acknowledgements_alert
  on public.alert_acknowledgements (organization_id, store_id, alert_id);

-- Muted alerts are raised and shown, and nobody is told.
create table public.alert_mutes (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  store_id uuid not null,
  -- Null: all of the store.
  alert_type text check (length(alert_type) <= 50),
  until timestamptz not null,
  reason text not null default '' check (length(reason) <= 255),
  muted_at timestamptz not null default now(),
  muted_by text default app.member_email(),
  primary key (organization_id, id),
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
    on delete cascade
);
create index alert_mutes_store on public.alert_mutes (organization_id, store_id, until);

-- Somebody works on the store: nothing new is raised, and silence counts from the end on.
create table public.maintenance_windows (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  store_id uuid not null,
  starts_at timestamptz not null,
  ends_at timestamptz not null,
  reason text not null default '' check (length(reason) <= 255),
  created_at timestamptz not null default now(),
  primary key (organization_id, id),
  constraint ends_after_it_starts check (starts_at < ends_at),
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
    on delete cascade
);
create index maintenance_windows_store
  on public.maintenance_windows (organization_id, store_id, ends_at);

do $$
declare
  one text;
begin
  foreach one in array array['app.alert_pending', 'public.alert_acknowledgements',
      'public.alert_mutes', 'public.maintenance_windows'] loop
    execute format('alter table %s enable row level security', one);
    execute format('alter table %s force row level security', one);
  end loop;
end $$;

grant update (state, recovering_since) on public.alerts to app_health;

grant select, insert, delete on app.alert_pending to app_health;
create policy alert_pending_select_health on app.alert_pending for select to app_health
  using (organization_id = (select app.organization_id()));
create policy alert_pending_insert_health on app.alert_pending for insert to app_health
  with check (organization_id = (select app.organization_id()));
create policy alert_pending_delete_health on app.alert_pending for delete to app_health
  using (organization_id = (select app.organization_id()));

grant select on public.alert_acknowledgements, public.alert_mutes to app_health;
create policy alert_acknowledgements_select_health on public.alert_acknowledgements for select
  to app_health using (organization_id = (select app.organization_id()));
create policy alert_mutes_select_health on public.alert_mutes for select to app_health
  using (organization_id = (select app.organization_id()));

grant select, insert (organization_id, alert_id, store_id, note)
  on public.alert_acknowledgements to authenticated;
create policy alert_acknowledgements_select_person on public.alert_acknowledgements for select
  to authenticated using (organization_id = (select app.member_organization_id())
    and store_id = any ((select app.member_store_ids())::uuid[]));
create policy alert_acknowledgements_insert_person on public.alert_acknowledgements for insert
  to authenticated with check (organization_id = (select app.member_organization_id())
    and store_id = any ((select app.member_store_ids())::uuid[])
    and (select app.member_acknowledges()));
grant select, insert (organization_id, store_id, alert_type, until, reason), delete
  on public.alert_mutes to authenticated;
create policy alert_mutes_select_person on public.alert_mutes for select
  to authenticated using (organization_id = (select app.member_organization_id())
    and store_id = any ((select app.member_store_ids())::uuid[]));
create policy alert_mutes_insert_person on public.alert_mutes for insert
  to authenticated with check (organization_id = (select app.member_organization_id())
    and store_id = any ((select app.member_store_ids())::uuid[])
    and (select app.member_mutes()));
create policy alert_mutes_delete_person on public.alert_mutes for delete
  to authenticated using (organization_id = (select app.member_organization_id())
    and store_id = any ((select app.member_store_ids())::uuid[])
    and (select app.member_mutes()));

grant select, insert, delete on public.maintenance_windows to app_operator;
grant select on public.maintenance_windows to app_health, authenticated;
create policy maintenance_windows_select_operator on public.maintenance_windows for select
  to app_operator using (organization_id = (select app.organization_id()));
create policy maintenance_windows_insert_operator on public.maintenance_windows for insert
  to app_operator with check (organization_id = (select app.organization_id()));
create policy maintenance_windows_delete_operator on public.maintenance_windows for delete
  to app_operator using (organization_id = (select app.organization_id()));
create policy maintenance_windows_select_health on public.maintenance_windows for select
  to app_health using (organization_id = (select app.organization_id()));
create policy maintenance_windows_select_person on public.maintenance_windows for select
  to authenticated using (organization_id = (select app.member_organization_id())
    and store_id = any ((select app.member_store_ids())::uuid[]));
create trigger audit after insert or update or delete on public.maintenance_windows
  for each row execute function app.audit();
reset role;

-- Down Migration

set local role app_owner;
drop table public.maintenance_windows, public.alert_mutes, public.alert_acknowledgements,
  app.alert_pending;
reset role;
set local role app_definer;
drop function app.member_email(), app.member_mutes(), app.member_acknowledges();
reset role;
set local role app_owner;
alter table public.alerts
  drop constraint alerts_place, drop constraint state_says_the_same,
  drop column state, drop column recovering_since;
reset role;
