-- What the rules of the watch look at beside counts: a gateway's disk and certificates, what stood
-- in its quarantine some while ago, keys that end.

-- Up Migration

set local role app_owner;

alter table app.gateway_state
  add column disk_free_bytes bigint,
  add column disk_total_bytes bigint,
  -- [{"name": …, "expires_at": ms since the epoch}]
  add column certificates jsonb not null default '[]';

-- Losses are totals; how fast they grow is seen against a total of before.
create table app.gateway_loss_marks (
  organization_id uuid not null,
  gateway_id uuid not null,
  marked_at timestamptz not null,
  count bigint not null,
  primary key (organization_id, gateway_id, marked_at),
  foreign key (organization_id, gateway_id) references app.gateways on delete cascade
);
alter table app.gateway_loss_marks enable row level security;
alter table app.gateway_loss_marks force row level security;
grant select, insert, delete on app.gateway_loss_marks to app_health;
create policy gateway_loss_marks_select_health on app.gateway_loss_marks for select to app_health
  using (organization_id = (select app.organization_id()));
create policy gateway_loss_marks_insert_health on app.gateway_loss_marks for insert to app_health
  with check (organization_id = (select app.organization_id()));
create policy gateway_loss_marks_delete_health on app.gateway_loss_marks for delete to app_health
  using (organization_id = (select app.organization_id()));

grant select (organization_id, user_id, id, name, expires_at, revoked_at) on app.api_keys to app_health;
create policy api_keys_select_health on app.api_keys for select to app_health
  using (organization_id = (select app.organization_id()));
grant select on public.store_hourly, public.daily_analytics, app.rollup_dirty,
  app.rollup_dirty_days to app_health;
create policy store_hourly_select_health on public.store_hourly for select to app_health
  using (organization_id = (select app.organization_id()));
create policy daily_analytics_select_health on public.daily_analytics for select to app_health
  using (organization_id = (select app.organization_id()));
create policy rollup_dirty_select_health on app.rollup_dirty for select to app_health
  using (organization_id = (select app.organization_id()));
create policy rollup_dirty_days_select_health on app.rollup_dirty_days for select to app_health
  using (organization_id = (select app.organization_id()));
reset role;

-- Down Migration

set local role app_owner;
drop policy rollup_dirty_days_select_health on app.rollup_dirty_days;
drop policy rollup_dirty_select_health on app.rollup_dirty;
drop policy daily_analytics_select_health on public.daily_analytics;
drop policy store_hourly_select_health on public.store_hourly;
revoke select on public.store_hourly, public.daily_analytics, app.rollup_dirty,
  app.rollup_dirty_days from app_health;
drop policy api_keys_select_health on app.api_keys;
revoke select (organization_id, user_id, id, name, expires_at, revoked_at) on app.api_keys from app_health;
drop table app.gateway_loss_marks;
alter table app.gateway_state drop column certificates, drop column disk_total_bytes,
  drop column disk_free_bytes;
reset role;
