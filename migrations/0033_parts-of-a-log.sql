-- What a gateway's log is made of: HQ knows of each part how far it ever reached, and settles no
-- sequence twice.

-- Up Migration

set local role app_owner;

-- Of the part of the log that one process appended, as heartbeats told it; null: none did.
alter table app.gateway_epochs
  add column first_sequence bigint,
  add column last_sequence bigint;
comment on column app.gateway_epochs.first_sequence is
  'First sequence that this process appended; null for gateways that tell of no epochs.';
comment on column app.gateway_epochs.last_sequence is
  'Highest that any heartbeat told: more than the gateway has now was lost with its disk.';
grant update (first_sequence, last_sequence) on app.gateway_epochs to app_ingest;

-- A gateway that enrolled anew goes on with the epochs of the one before.
create index gateway_epochs_store on app.gateway_epochs (organization_id, store_id, epoch);

-- Refuses what was settled between a look and the lock, as a key refuses a second row.
create function app.settle(settled int8multirange, batch int8multirange, known int8multirange)
  returns int8multirange language plpgsql immutable set search_path = '' as $$
begin
  if not settled * batch <@ known then
    raise unique_violation using message = 'a sequence of the batch was settled meanwhile';
  end if;
  return settled + batch;
end $$;
grant execute on function app.settle(int8multirange, int8multirange, int8multirange) to app_ingest;

reset role;

-- Down Migration

set local role app_owner;
drop function app.settle(int8multirange, int8multirange, int8multirange);
drop index app.gateway_epochs_store;
alter table app.gateway_epochs drop column last_sequence, drop column first_sequence;
reset role;
