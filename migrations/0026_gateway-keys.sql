-- A key that is replaced without a visit, and a disk image that was copied.

-- Up Migration

set local role app_owner;

-- Set by an operator; a gateway that shows an older credential is asked to make a new one.
alter table app.gateways add column rotation_requested_at timestamptz;
-- Processes that have spoken as this gateway, the present one last. One that comes back after
-- another has spoken lives beside it.
alter table app.gateway_state
  add column instances uuid[] not null default '{}',
  add column cloned_at timestamptz;

grant update (rotation_requested_at) on app.gateways to app_operator;
grant insert (organization_id, gateway_id, secret_hash), update (revoked_at)
  on app.gateway_credentials to app_ingest;
create policy gateway_credentials_insert_ingest on app.gateway_credentials for insert
  to app_ingest with check (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()));
create policy gateway_credentials_update_ingest on app.gateway_credentials for update
  to app_ingest using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()))
  with check (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()));

reset role;

-- Down Migration

set local role app_owner;
drop policy gateway_credentials_update_ingest on app.gateway_credentials;
drop policy gateway_credentials_insert_ingest on app.gateway_credentials;
revoke insert (organization_id, gateway_id, secret_hash), update (revoked_at)
  on app.gateway_credentials from app_ingest;
revoke update (rotation_requested_at) on app.gateways from app_operator;
alter table app.gateway_state drop column cloned_at, drop column instances;
alter table app.gateways drop column rotation_requested_at;
reset role;
