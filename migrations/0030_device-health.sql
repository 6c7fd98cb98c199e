-- What devices say about themselves: batteries and faults, as their gateway last heard it.

-- Up Migration

set local role app_owner;
-- No defaults: PostgreSQL 15 refuses them on a table whose row type a function takes.
alter table public.sensor_metadata
  add column battery_pct real constraint valid_battery check (battery_pct between 0 and 100),
  add column faults jsonb constraint valid_faults check (jsonb_typeof(faults) = 'object');
comment on column public.sensor_metadata.battery_pct is
  'Charge of its weakest battery; null where the device has none or has not said.';
comment on column public.sensor_metadata.faults is
  'By name, whether the device has the fault now; null where it has not spoken of any.';
grant insert (battery_pct, faults), update (battery_pct, faults) on public.sensor_metadata
  to app_ingest;
reset role;

-- Down Migration

set local role app_owner;
alter table public.sensor_metadata drop column faults, drop column battery_pct;
reset role;
