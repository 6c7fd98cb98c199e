-- What gateways deliver: sensors, raw readings by month, and the ledgers that make a delivery count
-- exactly once.

-- Up Migration

set local role app_owner;

create table public.sensor_metadata (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  store_id uuid not null,
  -- Unique in its store: two stores of an organization may both have a front-door.
  sensor_id text not null check (length(sensor_id) <= 100),
  sensor_type text not null check (sensor_type in ('line', 'zone')),
  name text check (length(name) <= 255),
  location jsonb not null default '{}',
  configuration jsonb not null default '{}',
  gateway_id uuid,
  profile text,
  -- By the gateway's clock; null until its first frame.
  last_seen_at timestamptz,
  -- Null while no gateway answers for this sensor, so nobody waits for it.
  silent_after_s integer,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (organization_id, id),
  constraint unique_sensor_per_store unique (organization_id, store_id, sensor_id),
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
    on delete cascade,
  foreign key (organization_id, gateway_id) references app.gateways (organization_id, id)
    on delete set null (gateway_id)
);
create index sensor_metadata_gateway on public.sensor_metadata (organization_id, gateway_id);

-- No foreign keys and no triggers on the raw tables: organization and store come from a checked
-- credential, and the sensor is registered in the same transaction.
-- timestamp before sensor_id in the key: re-rolling 30 late days took 0.4 s this way and 5.7 s the
-- other way round on PostgreSQL 15.
create table public.people_counting_raw (
  organization_id uuid not null,
  store_id uuid not null,
  -- Start of the interval; its length stands beside it.
  "timestamp" timestamptz not null,
  sensor_id text not null,
  in_count integer not null default 0,
  out_count integer not null default 0,
  interval_s real not null,
  flags integer not null default 0,
  metadata jsonb not null default '{}',
  gateway_id uuid not null,
  gateway_sequence bigint not null,
  received_at timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (organization_id, store_id, "timestamp", sensor_id),
  constraint valid_counts check (in_count >= 0 and out_count >= 0)
) partition by range ("timestamp");
create index people_counting_raw_created on public.people_counting_raw using brin (created_at);

-- occupancy is signed and may be unknown: a drifting zone below zero is evidence, and refusing one
-- row would refuse its whole batch.
create table public.regional_counting_raw (
  organization_id uuid not null,
  store_id uuid not null,
  "timestamp" timestamptz not null,
  sensor_id text not null,
  region_id text not null,
  occupancy integer,
  dwell_time real,
  interval_s real not null,
  flags integer not null default 0,
  metadata jsonb not null default '{}',
  gateway_id uuid not null,
  gateway_sequence bigint not null,
  received_at timestamptz not null,
  created_at timestamptz not null default now(),
  primary key (organization_id, store_id, "timestamp", sensor_id, region_id)
) partition by range ("timestamp");
create index regional_counting_raw_created on public.regional_counting_raw using brin (created_at);
comment on column public.regional_counting_raw.dwell_time is
  'Mean stay in seconds of the people who left in the interval; null where the device did not say.';
comment on column public.regional_counting_raw.occupancy is
  'People in the zone at the end of the interval, signed as counted; null where unknown.';

-- Creates the monthly partitions around now and returns how many were missing. ATTACH instead of
-- PARTITION OF: it does not lock readers and writers of the parent out. No default partition: a
-- row that fits nowhere is refused by name, not parked.
create function app.ensure_partitions(months_back integer, months_ahead integer)
  returns integer language plpgsql security definer set search_path = '' as $$
declare
  parent text;
  month timestamp;
  part text;
  created integer := 0;
begin
  perform pg_advisory_xact_lock(hashtext('footbridge ensure_partitions'));
  foreach parent in array array['people_counting_raw', 'regional_counting_raw'] loop
    for month in
      select generate_series(
        date_trunc('month', now() at time zone 'UTC') - make_interval(months => months_back),
        date_trunc('month', now() at time zone 'UTC') + make_interval(months => months_ahead),
        interval '1 month')
    loop
      part := parent || '_' || to_char(month, 'YYYY_MM');
      continue when to_regclass(format('parts.%I', part)) is not null;
      execute format('create table parts.%I (like public.%I including all)', part, parent);
      execute format('alter table parts.%I enable row level security', part);
      execute format('alter table parts.%I force row level security', part);
      execute format(
        'alter table public.%I attach partition parts.%I for values from (%L) to (%L)',
        parent, part, month at time zone 'UTC', (month + interval '1 month') at time zone 'UTC');
      created := created + 1;
    end loop;
  end loop;
  return created;
end $$;
grant execute on function app.ensure_partitions(integer, integer) to app_operator;

-- Months that have a partition, as YYYY-MM.
create function app.partition_months(parent text) returns text[]
  language sql stable set search_path = ''
begin atomic
  select coalesce(array_agg(replace(right(c.relname, 7), '_', '-') order by c.relname), '{}')
  from pg_catalog.pg_inherits i
  join pg_catalog.pg_class c on c.oid = i.inhrelid
  join pg_catalog.pg_class p on p.oid = i.inhparent
  join pg_catalog.pg_namespace n on n.oid = p.relnamespace
  where n.nspname = 'public' and p.relname = parent;
end;
grant execute on function app.partition_months(text) to app_ingest, app_operator;

-- What HQ answered to a batch: a replay gets the same answer.
create table app.ingest_batches (
  organization_id uuid not null,
  gateway_id uuid not null,
  batch_id uuid not null,
  store_id uuid not null,
  epoch uuid not null,
  first_sequence bigint not null,
  last_sequence bigint not null,
  body_sha256 bytea not null,
  answer jsonb not null,
  received_at timestamptz not null default now(),
  primary key (organization_id, gateway_id, batch_id),
  foreign key (organization_id, gateway_id) references app.gateways on delete cascade
);

-- Which sequences of one life of a gateway's buffer are settled, in whatever order they came.
create table app.gateway_epochs (
  organization_id uuid not null,
  gateway_id uuid not null,
  epoch uuid not null,
  store_id uuid not null,
  settled int8multirange not null default '{}',
  first_seen_at timestamptz not null default now(),
  primary key (organization_id, gateway_id, epoch),
  foreign key (organization_id, gateway_id) references app.gateways on delete cascade
);

-- Hours to recompute. n exists to be counted up: an update takes the lock that makes a worker leave
-- the row alone; DO NOTHING took none and lost a late batch.
create table app.rollup_dirty (
  organization_id uuid not null,
  store_id uuid not null,
  bucket timestamptz not null,
  n integer not null default 1,
  marked_at timestamptz not null default now(),
  primary key (organization_id, store_id, bucket)
);

-- The youngest interval of each sensor, upserted with the batch: under a millisecond, where a
-- refresh of the materialized view took seconds and could not carry row security.
create table app.sensor_latest (
  organization_id uuid not null,
  store_id uuid not null,
  sensor_id text not null,
  "timestamp" timestamptz not null,
  in_count integer,
  out_count integer,
  primary key (organization_id, store_id, sensor_id),
  foreign key (organization_id, store_id, sensor_id)
    references public.sensor_metadata (organization_id, store_id, sensor_id) on delete cascade
) with (fillfactor = 50);

alter table public.sensor_metadata enable row level security;
alter table public.sensor_metadata force row level security;
alter table public.people_counting_raw enable row level security;
alter table public.people_counting_raw force row level security;
alter table public.regional_counting_raw enable row level security;
alter table public.regional_counting_raw force row level security;
alter table app.ingest_batches enable row level security;
alter table app.ingest_batches force row level security;
alter table app.gateway_epochs enable row level security;
alter table app.gateway_epochs force row level security;
alter table app.rollup_dirty enable row level security;
alter table app.rollup_dirty force row level security;
alter table app.sensor_latest enable row level security;
alter table app.sensor_latest force row level security;

-- A gateway writes for its store and reads what it must compare with.
grant select on public.sensor_metadata to app_ingest;
grant insert (organization_id, store_id, sensor_id, sensor_type, name, gateway_id, profile,
    last_seen_at, silent_after_s),
  update (name, gateway_id, profile, last_seen_at, silent_after_s, updated_at)
  on public.sensor_metadata to app_ingest;
create policy sensor_metadata_select_ingest on public.sensor_metadata for select to app_ingest
  using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));
create policy sensor_metadata_insert_ingest on public.sensor_metadata for insert to app_ingest
  with check (organization_id = (select app.organization_id())
    and store_id = (select app.store_id())
    and (gateway_id is null or gateway_id = (select app.gateway_id())));
create policy sensor_metadata_update_ingest on public.sensor_metadata for update to app_ingest
  using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()))
  with check (organization_id = (select app.organization_id())
    and store_id = (select app.store_id())
    and (gateway_id is null or gateway_id = (select app.gateway_id())));

grant select, insert on public.people_counting_raw, public.regional_counting_raw to app_ingest;
create policy people_counting_raw_select_ingest on public.people_counting_raw for select
  to app_ingest using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));
create policy people_counting_raw_insert_ingest on public.people_counting_raw for insert
  to app_ingest with check (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()) and gateway_id = (select app.gateway_id()));
create policy regional_counting_raw_select_ingest on public.regional_counting_raw for select
  to app_ingest using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));
create policy regional_counting_raw_insert_ingest on public.regional_counting_raw for insert
  to app_ingest with check (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()) and gateway_id = (select app.gateway_id()));

grant select, insert on app.ingest_batches to app_ingest;
create policy ingest_batches_select_ingest on app.ingest_batches for select to app_ingest
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()));
create policy ingest_batches_insert_ingest on app.ingest_batches for insert to app_ingest
  with check (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()) and store_id = (select app.store_id()));

-- Epochs of the whole store: a gateway that enrolled anew keeps its buffer and its epoch.
grant select, insert, update (settled) on app.gateway_epochs to app_ingest;
create policy gateway_epochs_select_ingest on app.gateway_epochs for select to app_ingest
  using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));
create policy gateway_epochs_insert_ingest on app.gateway_epochs for insert to app_ingest
  with check (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()) and store_id = (select app.store_id()));
create policy gateway_epochs_update_ingest on app.gateway_epochs for update to app_ingest
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()))
  with check (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()) and store_id = (select app.store_id()));

grant select, insert, update (n) on app.rollup_dirty to app_ingest;
create policy rollup_dirty_select_ingest on app.rollup_dirty for select to app_ingest
  using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));
create policy rollup_dirty_insert_ingest on app.rollup_dirty for insert to app_ingest
  with check (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));
create policy rollup_dirty_update_ingest on app.rollup_dirty for update to app_ingest
  using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()))
  with check (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));

grant select, insert, update ("timestamp", in_count, out_count) on app.sensor_latest to app_ingest;
create policy sensor_latest_select_ingest on app.sensor_latest for select to app_ingest
  using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));
create policy sensor_latest_insert_ingest on app.sensor_latest for insert to app_ingest
  with check (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));
create policy sensor_latest_update_ingest on app.sensor_latest for update to app_ingest
  using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()))
  with check (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));

-- The watch.
grant select on public.sensor_metadata to app_health;
create policy sensor_metadata_select_health on public.sensor_metadata for select to app_health
  using (organization_id = (select app.organization_id()));

-- People.
grant select on public.sensor_metadata, public.people_counting_raw, public.regional_counting_raw,
  app.sensor_latest to authenticated;
create policy sensor_metadata_select_person on public.sensor_metadata for select
  to authenticated using (organization_id = (select app.member_organization_id())
    and ((select app.member_all_stores())
      or store_id = any ((select app.member_store_ids())::uuid[])));
create policy people_counting_raw_select_person on public.people_counting_raw for select
  to authenticated using (organization_id = (select app.member_organization_id())
    and (select app.member_reads_raw())
    and ((select app.member_all_stores())
      or store_id = any ((select app.member_store_ids())::uuid[])));
create policy regional_counting_raw_select_person on public.regional_counting_raw for select
  to authenticated using (organization_id = (select app.member_organization_id())
    and (select app.member_reads_raw())
    and ((select app.member_all_stores())
      or store_id = any ((select app.member_store_ids())::uuid[])));
create policy sensor_latest_select_person on app.sensor_latest for select
  to authenticated using (organization_id = (select app.member_organization_id())
    and ((select app.member_all_stores())
      or store_id = any ((select app.member_store_ids())::uuid[])));

-- The seed's id of a raw row, without its 16 bytes in the heap and a second index: equal for equal
-- keys, read as `r.id`.
create function public.id(reading public.people_counting_raw) returns uuid
  language sql stable parallel safe set search_path = ''
  return md5(reading.organization_id::text || reading.store_id || reading.sensor_id
    || extract(epoch from reading."timestamp"))::uuid;
create function public.id(reading public.regional_counting_raw) returns uuid
  language sql stable parallel safe set search_path = ''
  return md5(reading.organization_id::text || reading.store_id || reading.sensor_id
    || reading.region_id || extract(epoch from reading."timestamp"))::uuid;
grant execute on function public.id(public.people_counting_raw),
  public.id(public.regional_counting_raw) to authenticated;
reset role;

-- Down Migration

set local role app_owner;
drop function public.id(public.regional_counting_raw), public.id(public.people_counting_raw);
drop table app.sensor_latest, app.rollup_dirty, app.gateway_epochs, app.ingest_batches;
drop function app.partition_months(text), app.ensure_partitions(integer, integer);
drop table public.regional_counting_raw, public.people_counting_raw, public.sensor_metadata;
reset role;
