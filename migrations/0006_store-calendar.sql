-- When a store trades.

-- Up Migration

set local role app_owner;

-- Trading hours in the store's own time. A store without any row trades around the clock; a weekday
-- without one is closed. Quarter hours, because counts are kept by quarter hour and no finer.
create table public.store_hours (
  organization_id uuid not null,
  store_id uuid not null,
  weekday smallint not null check (weekday between 1 and 7),
  opens time not null,
  closes time not null,
  primary key (organization_id, store_id, weekday, opens),
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
    on delete cascade,
  constraint opens_before_it_closes check (opens < closes),
  constraint whole_quarter_hours check (
    extract(epoch from opens)::integer % 900 = 0 and extract(epoch from closes)::integer % 900 = 0)
);
comment on column public.store_hours.weekday is 'ISO: 1 is Monday, 7 is Sunday.';

create table public.store_closures (
  organization_id uuid not null,
  store_id uuid not null,
  first_date date not null,
  last_date date not null,
  reason text not null default '' check (length(reason) <= 255),
  primary key (organization_id, store_id, first_date),
  foreign key (organization_id, store_id) references public.stores (organization_id, id)
    on delete cascade,
  constraint ends_after_it_begins check (first_date <= last_date)
);
comment on table public.store_closures is 'Whole local days, both ends included.';

alter table public.store_hours enable row level security;
alter table public.store_hours force row level security;
alter table public.store_closures enable row level security;
alter table public.store_closures force row level security;

grant select, insert, delete on public.store_hours, public.store_closures to app_operator;
grant select on public.store_hours, public.store_closures to app_rollup, app_health, authenticated;
create policy store_hours_select_operator on public.store_hours for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy store_hours_select_rollup on public.store_hours for select to app_rollup
  using (organization_id = (select app.organization_id()));
create policy store_hours_select_health on public.store_hours for select to app_health
  using (organization_id = (select app.organization_id()));
create policy store_hours_insert_operator on public.store_hours for insert to app_operator
  with check (organization_id = (select app.organization_id()));
create policy store_hours_delete_operator on public.store_hours for delete to app_operator
  using (organization_id = (select app.organization_id()));
create policy store_hours_select_person on public.store_hours for select to authenticated
  using (organization_id = (select app.member_organization_id())
    and ((select app.member_all_stores())
      or store_id = any ((select app.member_store_ids())::uuid[])));
create policy store_closures_select_operator on public.store_closures for select to app_operator
  using (organization_id = (select app.organization_id()));
create policy store_closures_select_rollup on public.store_closures for select to app_rollup
  using (organization_id = (select app.organization_id()));
create policy store_closures_select_health on public.store_closures for select to app_health
  using (organization_id = (select app.organization_id()));
create policy store_closures_insert_operator on public.store_closures for insert to app_operator
  with check (organization_id = (select app.organization_id()));
create policy store_closures_delete_operator on public.store_closures for delete to app_operator
  using (organization_id = (select app.organization_id()));
create policy store_closures_select_person on public.store_closures for select to authenticated
  using (organization_id = (select app.member_organization_id())
    and ((select app.member_all_stores())
      or store_id = any ((select app.member_store_ids())::uuid[])));
reset role;

-- Down Migration

set local role app_owner;
drop table public.store_closures, public.store_hours;
reset role;
