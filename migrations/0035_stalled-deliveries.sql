-- Since when HQ has settled nothing of a gateway that has something to deliver.

-- Up Migration

set local role app_owner;
alter table app.gateway_state
  add column settled_sequence bigint constraint valid_settled check (settled_sequence >= 0),
  add column stalled_since timestamptz;
comment on column app.gateway_state.settled_sequence is
  'HQ has settled the epoch up to here, as the gateway said; null: it does not say.';
comment on column app.gateway_state.stalled_since is
  'By HQ''s clock, since when this has stood still while readings waited; null: it has not.';
reset role;

-- Down Migration

set local role app_owner;
alter table app.gateway_state drop column stalled_since, drop column settled_sequence;
reset role;
