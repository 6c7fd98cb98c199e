-- The watch knows holidays; messages that were sent are kept for a year.

-- Up Migration

set local role app_owner;
grant select on public.store_holidays to app_health;
create policy store_holidays_select_health on public.store_holidays for select to app_health
  using (organization_id = (select app.organization_id()));

grant select, delete on public.notifications to app_retention;
grant select on app.notification_alerts to app_retention;
create policy notifications_select_retention on public.notifications for select to app_retention
  using (organization_id = (select app.organization_id()));
create policy notifications_delete_retention on public.notifications for delete to app_retention
  using (organization_id = (select app.organization_id()));
create policy notification_alerts_select_retention on app.notification_alerts for select
  to app_retention using (organization_id = (select app.organization_id()));
create index notifications_created on public.notifications (organization_id, created_at);
reset role;

-- Down Migration

set local role app_owner;
drop index public.notifications_created;
drop policy notification_alerts_select_retention on app.notification_alerts;
drop policy notifications_delete_retention on public.notifications;
drop policy notifications_select_retention on public.notifications;
revoke select on app.notification_alerts from app_retention;
revoke select, delete on public.notifications from app_retention;
drop policy store_holidays_select_health on public.store_holidays;
revoke select on public.store_holidays from app_health;
reset role;
