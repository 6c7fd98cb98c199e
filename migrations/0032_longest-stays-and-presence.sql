-- The longest stay in a zone beside the mean one, and sensors that said they are gone.

-- Up Migration

set local role app_owner;

alter table public.regional_counting_raw add column max_dwell_time real;
comment on column public.regional_counting_raw.max_dwell_time is
  'Longest stay in seconds of the people who left in the interval; null where the device did not say.';
-- The gateway's clock; what a device, its bridge or its last will says, not how long it was silent.
alter table public.sensor_metadata add column offline_since timestamptz;
comment on column public.sensor_metadata.offline_since is
  'Since when the device is gone, as it or its broker said; null where nobody said so.';
grant insert (offline_since), update (offline_since) on public.sensor_metadata to app_ingest;

reset role;

-- Down Migration

set local role app_owner;
alter table public.sensor_metadata drop column offline_since;
alter table public.regional_counting_raw drop column max_dwell_time;
reset role;
