-- Who is told of alerts, and what became of each message.

-- Up Migration

do $$
begin
  -- Reads webhooks' secrets and people's addresses, which nobody else needs.
  if to_regrole('app_notify') is null then create role app_notify nologin; end if;
end $$;
grant app_notify to cloud_sync;

set local role app_owner;
grant usage on schema public, app to app_notify;
grant execute on function app.organization_id() to app_notify;

-- When an alert became one; created_at says when its cause was first seen.
alter table public.alerts add column fired_at timestamptz not null default now();

create table app.notification_routes (
  organization_id uuid not null references public.organizations (id),
  id uuid not null default gen_random_uuid(),
  kind text not null check (kind in ('email', 'webhook', 'log')),
  -- For e-mail: people of this role, each about the stores that they may see.
  role public.user_role,
  -- For a webhook: where to, and what it is signed with.
  url text check (length(url) <= 2000 and url ~ '^https?://'),
  secret bytea check (length(secret) between 24 and 64),
  severity_min text not null check (severity_min in ('info', 'warning', 'critical')),
  -- In the route's zone; what is critical does not wait.
  quiet_from time,
  quiet_until time,
  timezone text not null default 'UTC' check (app.is_timezone(timezone)),
  created_at timestamptz not null default now(),
  primary key (organization_id, id),
  constraint says_where_to check (
    (kind = 'email') = (role is not null)
    and (kind = 'webhook') = (url is not null) and (kind = 'webhook') = (secret is not null)),
  constraint quiet_has_both_ends check ((quiet_from is null) = (quiet_until is null))
);

create table public.notifications (
  organization_id uuid not null references public.organizations (id),
  id uuid not null default gen_random_uuid(),
  -- Null once the route is gone.
  route_id uuid,
  kind text not null,
  -- An address or a URL; empty for the log.
  recipient text not null,
  subject text not null,
  body text not null,
  created_at timestamptz not null default now(),
  state text not null default 'waiting' check (state in ('waiting', 'sent', 'failed')),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  sent_at timestamptz,
  -- Why the last attempt failed.
  detail text check (length(detail) <= 1000),
  primary key (organization_id, id),
  foreign key (organization_id, route_id) references app.notification_routes (organization_id, id)
    on delete set null (route_id),
  constraint sent_has_a_time check ((state = 'sent') = (sent_at is not null))
);
create index notifications_route on public.notifications (organization_id, route_id, recipient);
create index notifications_waiting on public.notifications (organization_id, next_attempt_at)
  where state = 'waiting';

-- What each message told, so that nobody is told twice.
create table app.notification_alerts (
  organization_id uuid not null,
  notification_id uuid not null,
  alert_id uuid not null,
  told text not null check (told in ('firing', 'resolved')),
  primary key (organization_id, notification_id, alert_id),
  foreign key (organization_id, notification_id)
    references public.notifications (organization_id, id) on delete cascade,
  foreign key (organization_id, alert_id) references public.alerts (organization_id, id)
    on delete cascade
);
create index notification_alerts_alert
  on app.notification_alerts (organization_id, alert_id);

grant create on schema app to app_definer;
reset role;

set local role app_definer;
grant execute on function app.active_organization_ids() to app_notify;
-- Members with their addresses and the stores that each may see; null: all of them.
create function app.alert_readers()
  returns table (email text, role public.user_role, store_ids uuid[])
  language sql stable security definer set search_path = ''
begin atomic
  select u.email, m.role, case when m.role in ('tenant_admin', 'analyst') then null
    else app.stores_of_member(m.organization_id, m.user_id) end
  from app.memberships m join app.users u on u.id = m.user_id and u.is_active
  where m.organization_id = app.organization_id();
end;
revoke execute on function app.alert_readers() from public;
grant execute on function app.alert_readers() to app_notify;
reset role;

set local role app_owner;
revoke create on schema app from app_definer;
grant execute on function app.organization_id() to app_definer;
do $$
declare
  one text;
begin
  foreach one in array array['app.notification_routes', 'public.notifications',
      'app.notification_alerts'] loop
    execute format('alter table %s enable row level security', one);
    execute format('alter table %s force row level security', one);
  end loop;
end $$;

grant update (fired_at) on public.alerts to app_health;
do $$
declare
  one text;
  name text;
begin
  foreach one in array array['public.alerts', 'public.stores', 'public.alert_mutes',
      'public.alert_acknowledgements', 'app.notification_routes', 'app.notification_alerts',
      'public.notifications'] loop
    name := split_part(one, '.', 2);
    execute format('grant select on %s to app_notify', one);
    execute format('create policy %I on %s for select to app_notify
      using (organization_id = (select app.organization_id()))', name || '_select_notify', one);
  end loop;
end $$;
grant insert on public.notifications, app.notification_alerts to app_notify;
grant update (state, attempts, next_attempt_at, sent_at, detail) on public.notifications
  to app_notify;
create policy notifications_insert_notify on public.notifications for insert to app_notify
  with check (organization_id = (select app.organization_id()));
create policy notifications_update_notify on public.notifications for update to app_notify
  using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
create policy notification_alerts_insert_notify on app.notification_alerts for insert
  to app_notify with check (organization_id = (select app.organization_id()));

-- A secret is written, never read back by who administrates.
grant select (organization_id, id, kind, role, url, severity_min, quiet_from, quiet_until, timezone,
  created_at), insert, delete on app.notification_routes to app_operator;
create policy notification_routes_select_operator on app.notification_routes for select
  to app_operator using (organization_id = (select app.organization_id()));
create policy notification_routes_insert_operator on app.notification_routes for insert
  to app_operator with check (organization_id = (select app.organization_id()));
create policy notification_routes_delete_operator on app.notification_routes for delete
  to app_operator using (organization_id = (select app.organization_id()));
grant select on public.notifications to app_operator, authenticated;
create policy notifications_select_operator on public.notifications for select
  to app_operator using (organization_id = (select app.organization_id()));
create policy notifications_select_person on public.notifications for select
  to authenticated using (organization_id = (select app.member_organization_id())
    and (select app.member_role()) = 'tenant_admin');
reset role;

-- Down Migration

set local role app_owner;
do $$
declare
  one text;
begin
  foreach one in array array['public.alerts', 'public.stores', 'public.alert_mutes',
      'public.alert_acknowledgements'] loop
    execute format('drop policy %I on %s', split_part(one, '.', 2) || '_select_notify', one);
    execute format('revoke select on %s from app_notify', one);
  end loop;
end $$;
drop table app.notification_alerts, public.notifications, app.notification_routes;
revoke update (fired_at) on public.alerts from app_health;
alter table public.alerts drop column fired_at;
revoke execute on function app.organization_id() from app_notify, app_definer;
revoke usage on schema public, app from app_notify;
reset role;
set local role app_definer;
revoke execute on function app.active_organization_ids() from app_notify;
drop function app.alert_readers();
reset role;
