-- Gateways: how they enrol, what proves who they are, what they last said about themselves.

-- Up Migration

set local role app_owner;

create table app.gateways (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  store_id uuid not null,
  name text not null,
  version text not null,
  enrolled_at timestamptz not null default now(),
  revoked_at timestamptz,
  primary key (organization_id, id),
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
);
create index gateways_store on app.gateways (organization_id, store_id);

-- Several may live at once, so that a key can be replaced without a moment in which none works.
create table app.gateway_credentials (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  gateway_id uuid not null,
  -- SHA-256 of 32 random bytes: nothing to guess, so no slow hash is needed on every request.
  secret_hash bytea not null check (length(secret_hash) = 32),
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  primary key (organization_id, id),
  foreign key (organization_id, gateway_id) references app.gateways on delete cascade
);
create index gateway_credentials_gateway on app.gateway_credentials (organization_id, gateway_id);
-- The one look-up that cannot name its organization yet.
create index gateway_credentials_id on app.gateway_credentials (id);

create table app.enroll_tokens (
  organization_id uuid not null,
  id uuid not null default gen_random_uuid(),
  store_id uuid not null,
  token_hash bytea not null check (length(token_hash) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  gateway_id uuid,
  credential_id uuid,
  primary key (organization_id, id),
  foreign key (organization_id, store_id) references public.stores (organization_id, id),
  foreign key (organization_id, gateway_id) references app.gateways (organization_id, id),
  foreign key (organization_id, credential_id)
    references app.gateway_credentials (organization_id, id),
  constraint used_by_a_gateway check (
    (used_at is null) = (gateway_id is null) and (used_at is null) = (credential_id is null))
);
create index enroll_tokens_hash on app.enroll_tokens (token_hash);
create index enroll_tokens_store on app.enroll_tokens (organization_id, store_id);
create index enroll_tokens_gateway on app.enroll_tokens (organization_id, gateway_id);
create index enroll_tokens_credential on app.enroll_tokens (organization_id, credential_id);

-- The last heartbeat. Times of the gateway's clock stay apart from HQ's.
create table app.gateway_state (
  organization_id uuid not null,
  gateway_id uuid not null,
  store_id uuid not null,
  heartbeat_at timestamptz not null,
  sent_at timestamptz not null,
  delivered_at timestamptz not null,
  version text not null,
  epoch uuid not null,
  buffered bigint not null,
  oldest_unsent_at timestamptz,
  durability text not null,
  sources jsonb not null default '[]',
  primary key (organization_id, gateway_id),
  foreign key (organization_id, gateway_id) references app.gateways on delete cascade
) with (fillfactor = 50);

-- What stands in a gateway's quarantine: the part of the promise that did not become a count.
create table app.gateway_losses (
  organization_id uuid not null,
  gateway_id uuid not null,
  store_id uuid not null,
  epoch uuid not null,
  source text not null,
  reason text not null,
  count bigint not null,
  updated_at timestamptz not null default now(),
  primary key (organization_id, gateway_id, epoch, source, reason),
  foreign key (organization_id, gateway_id) references app.gateways on delete cascade
);

grant create on schema app to app_definer;
grant select on app.gateways, app.gateway_credentials, app.enroll_tokens to app_definer;
reset role;

set local role app_definer;
create function app.find_credential(credential uuid)
  returns table (organization_id uuid, store_id uuid, gateway_id uuid, secret_hash bytea,
    revoked boolean)
  language sql stable security definer set search_path = ''
begin atomic
  select c.organization_id, g.store_id, c.gateway_id, c.secret_hash,
    c.revoked_at is not null or g.revoked_at is not null
  from app.gateway_credentials c
  join app.gateways g on g.organization_id = c.organization_id and g.id = c.gateway_id
  where c.id = credential;
end;
create function app.find_token(hash bytea)
  returns table (organization_id uuid, store_id uuid, token_id uuid)
  language sql stable security definer set search_path = ''
begin atomic
  select t.organization_id, t.store_id, t.id from app.enroll_tokens t where t.token_hash = hash;
end;
revoke execute on function app.find_credential(uuid), app.find_token(bytea) from public;
grant execute on function app.find_credential(uuid) to app_ingest;
grant execute on function app.find_token(bytea) to app_enroll;
reset role;

set local role app_owner;
revoke create on schema app from app_definer;

alter table app.gateways enable row level security;
alter table app.gateways force row level security;
alter table app.gateway_credentials enable row level security;
alter table app.gateway_credentials force row level security;
alter table app.enroll_tokens enable row level security;
alter table app.enroll_tokens force row level security;
alter table app.gateway_state enable row level security;
alter table app.gateway_state force row level security;
alter table app.gateway_losses enable row level security;
alter table app.gateway_losses force row level security;

create policy gateways_select_definer on app.gateways for select to app_definer using (true);
create policy gateway_credentials_select_definer on app.gateway_credentials for select
  to app_definer using (true);
create policy enroll_tokens_select_definer on app.enroll_tokens for select
  to app_definer using (true);

-- Enrolment, as the store of the token.
grant select on app.gateways, app.gateway_credentials, app.enroll_tokens to app_enroll;
grant insert (organization_id, store_id, name, version) on app.gateways to app_enroll;
grant insert (organization_id, gateway_id, secret_hash) on app.gateway_credentials to app_enroll;
grant update (used_at, gateway_id, credential_id) on app.enroll_tokens to app_enroll;
create policy gateways_select_enroll on app.gateways for select to app_enroll
  using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));
create policy gateways_insert_enroll on app.gateways for insert to app_enroll
  with check (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));
-- The nested query is subject to the policy above: only gateways of the token's store.
create policy gateway_credentials_select_enroll on app.gateway_credentials for select
  to app_enroll using (organization_id = (select app.organization_id())
    and gateway_id in (select g.id from app.gateways g));
create policy gateway_credentials_insert_enroll on app.gateway_credentials for insert
  to app_enroll with check (organization_id = (select app.organization_id())
    and gateway_id in (select g.id from app.gateways g));
create policy enroll_tokens_select_enroll on app.enroll_tokens for select to app_enroll
  using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));
create policy enroll_tokens_update_enroll on app.enroll_tokens for update to app_enroll
  using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()))
  with check (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));

-- A gateway about itself.
grant select on app.gateways, app.gateway_credentials to app_ingest;
grant update (version) on app.gateways to app_ingest;
create policy gateways_select_ingest on app.gateways for select to app_ingest
  using (organization_id = (select app.organization_id()) and id = (select app.gateway_id()));
create policy gateways_update_ingest on app.gateways for update to app_ingest
  using (organization_id = (select app.organization_id()) and id = (select app.gateway_id()))
  with check (organization_id = (select app.organization_id())
    and id = (select app.gateway_id()) and store_id = (select app.store_id()));
create policy gateway_credentials_select_ingest on app.gateway_credentials for select
  to app_ingest using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()));
grant select, insert, update on app.gateway_state, app.gateway_losses to app_ingest;
create policy gateway_state_select_ingest on app.gateway_state for select to app_ingest
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()));
create policy gateway_state_insert_ingest on app.gateway_state for insert to app_ingest
  with check (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()) and store_id = (select app.store_id()));
create policy gateway_state_update_ingest on app.gateway_state for update to app_ingest
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()))
  with check (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()) and store_id = (select app.store_id()));
create policy gateway_losses_select_ingest on app.gateway_losses for select to app_ingest
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()));
create policy gateway_losses_insert_ingest on app.gateway_losses for insert to app_ingest
  with check (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()) and store_id = (select app.store_id()));
create policy gateway_losses_update_ingest on app.gateway_losses for update to app_ingest
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()))
  with check (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()) and store_id = (select app.store_id()));

-- The watch.
grant select on app.gateways, app.gateway_state, app.gateway_losses to app_health;
create policy gateways_select_health on app.gateways for select to app_health
  using (organization_id = (select app.organization_id()));
create policy gateway_state_select_health on app.gateway_state for select to app_health
  using (organization_id = (select app.organization_id()));
create policy gateway_losses_select_health on app.gateway_losses for select to app_health
  using (organization_id = (select app.organization_id()));

-- Administration. Hashes are written, never read.
grant select on app.gateways, app.gateway_state, app.gateway_losses to app_operator;
grant update (revoked_at) on app.gateways to app_operator;
grant select (organization_id, id, gateway_id, created_at, revoked_at),
  update (revoked_at) on app.gateway_credentials to app_operator;
grant select (organization_id, id, store_id, created_at, expires_at, used_at, gateway_id),
  insert (organization_id, store_id, token_hash, expires_at) on app.enroll_tokens to app_operator;
create policy gateways_select_operator on app.gateways for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy gateways_update_operator on app.gateways for update to app_operator
  using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
create policy gateway_credentials_select_operator on app.gateway_credentials for select
  to app_operator using (organization_id = (select app.organization_id()));
create policy gateway_credentials_update_operator on app.gateway_credentials for update
  to app_operator using (organization_id = (select app.organization_id()))
  with check (organization_id = (select app.organization_id()));
create policy enroll_tokens_select_operator on app.enroll_tokens for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy enroll_tokens_insert_operator on app.enroll_tokens for insert to app_operator
  with check (organization_id = (select app.organization_id()));
create policy gateway_state_select_operator on app.gateway_state for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy gateway_losses_select_operator on app.gateway_losses for select to app_operator
  using (organization_id = (select app.organization_id()));
reset role;

-- Down Migration

set local role app_definer;
drop function app.find_token(bytea), app.find_credential(uuid);
reset role;
set local role app_owner;
drop table app.gateway_losses, app.gateway_state, app.enroll_tokens, app.gateway_credentials,
  app.gateways;
reset role;
