-- What HQ wants a gateway's sensors and zones to be called, and what the gateway says of it.

-- Up Migration

set local role app_owner;

create table app.gateway_configurations (
  organization_id uuid not null,
  gateway_id uuid not null,
  -- Counts the changes; a gateway says which one it goes by.
  version bigint not null default 1 check (version > 0),
  desired jsonb not null,
  changed_at timestamptz not null default now(),
  primary key (organization_id, gateway_id),
  foreign key (organization_id, gateway_id) references app.gateways on delete cascade
);

alter table app.gateway_state
  -- Null: a gateway that takes no configuration from HQ, or none yet.
  add column configuration_version bigint,
  add column configuration_refused jsonb;

alter table app.gateway_configurations enable row level security;
alter table app.gateway_configurations force row level security;

grant select on app.gateway_configurations to app_ingest;
create policy gateway_configurations_select_ingest on app.gateway_configurations for select
  to app_ingest using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()));

grant select, insert, update on app.gateway_configurations to app_operator;
create policy gateway_configurations_select_operator on app.gateway_configurations for select
  to app_operator using (organization_id = (select app.organization_id()));
create policy gateway_configurations_insert_operator on app.gateway_configurations for insert
  to app_operator with check (organization_id = (select app.organization_id()));
create policy gateway_configurations_update_operator on app.gateway_configurations for update
  to app_operator using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));

reset role;

-- Down Migration

set local role app_owner;
alter table app.gateway_state
  drop column configuration_refused, drop column configuration_version;
drop table app.gateway_configurations;
reset role;
