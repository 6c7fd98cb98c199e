-- Evidence that a sensor counts right: walk tests and audits, as somebody in the store made them.

-- Up Migration

set local role app_owner;

create table public.commissioning_records (
  organization_id uuid not null,
  -- Made by the gateway, so that a record sent twice is stored once.
  record_id uuid not null,
  store_id uuid not null,
  gateway_id uuid not null,
  kind text not null check (kind in ('walk_test', 'audit')),
  -- The device or one of its lines. No reference: a device of several lines has no sensor of its name.
  sensor_id text not null check (length(sensor_id) between 1 and 100),
  who text not null check (length(who) between 1 and 100),
  profile text not null check (length(profile) <= 100),
  direction text not null check (length(direction) <= 20),
  -- By the gateway's clock.
  started_at timestamptz not null,
  ended_at timestamptz not null,
  expected_in integer not null check (expected_in >= 0),
  expected_out integer not null check (expected_out >= 0),
  counted_in integer not null check (counted_in >= 0),
  counted_out integer not null check (counted_out >= 0),
  verdict text not null check (verdict in ('pass', 'swapped', 'miscounted', 'too_few')),
  received_at timestamptz not null default now(),
  primary key (organization_id, record_id),
  foreign key (organization_id, store_id) references public.stores (organization_id, id),
  foreign key (organization_id, gateway_id) references app.gateways (organization_id, id)
);
create index commissioning_records_sensor
  on public.commissioning_records (organization_id, store_id, sensor_id, ended_at);
create index commissioning_records_gateway
  on public.commissioning_records (organization_id, gateway_id);

alter table public.commissioning_records enable row level security;
alter table public.commissioning_records force row level security;

-- A gateway writes evidence; it can neither change nor take back what stands.
grant select (organization_id, record_id, store_id, gateway_id), insert
  on public.commissioning_records to app_ingest;
create policy commissioning_records_select_ingest on public.commissioning_records for select
  to app_ingest using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()) and gateway_id = (select app.gateway_id()));
create policy commissioning_records_insert_ingest on public.commissioning_records for insert
  to app_ingest with check (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()) and gateway_id = (select app.gateway_id()));

grant select on public.commissioning_records to app_operator, authenticated;
create policy commissioning_records_select_operator on public.commissioning_records for select
  to app_operator using (organization_id = (select app.organization_id()));
create policy commissioning_records_select_person on public.commissioning_records for select
  to authenticated using (organization_id = (select app.member_organization_id())
    and store_id = any ((select app.member_store_ids())::uuid[]));

-- How far each sensor has come, by its last walk test and its last audit that had people enough. An
-- audit holds for a quarter of a year: light, shelves and brackets change.
create view public.sensor_commissioning with (security_invoker = true) as
with tests as (
  select distinct on (organization_id, store_id, sensor_id, kind) *
  from public.commissioning_records where verdict <> 'too_few'
  order by organization_id, store_id, sensor_id, kind, ended_at desc, record_id desc
)
select s.organization_id, s.store_id, s.sensor_id,
  case
    when audit.verdict = 'pass' and audit.ended_at > now() - interval '3 months' then 'certified'
    when audit.verdict = 'pass' then 'expired'
    when walk.verdict = 'pass' then 'tuned'
    else 'untested'
  end as stage,
  walk.ended_at as walk_test_at, walk.verdict as walk_test_verdict,
  audit.ended_at as audit_at, audit.verdict as audit_verdict,
  audit.expected_in + audit.expected_out as audit_people,
  case when audit.expected_in > 0 then greatest(0,
    1 - abs(audit.counted_in - audit.expected_in)::numeric / audit.expected_in)::numeric(5, 4)
  end as accuracy_in,
  case when audit.expected_out > 0 then greatest(0,
    1 - abs(audit.counted_out - audit.expected_out)::numeric / audit.expected_out)::numeric(5, 4)
  end as accuracy_out
from (select distinct organization_id, store_id, sensor_id from tests) s
left join tests walk on walk.organization_id = s.organization_id and walk.store_id = s.store_id
  and walk.sensor_id = s.sensor_id and walk.kind = 'walk_test'
left join tests audit on audit.organization_id = s.organization_id and audit.store_id = s.store_id
  and audit.sensor_id = s.sensor_id and audit.kind = 'audit';
grant select on public.sensor_commissioning to authenticated, app_operator;
reset role;

-- Down Migration

set local role app_owner;
drop view public.sensor_commissioning;
drop table public.commissioning_records;
reset role;
