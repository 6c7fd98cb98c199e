-- The trail also says who was let in: invitations of gateways, and changes of a person. A person
-- belongs to no organization, so each organization that they are a member of gets an entry.

-- Up Migration

set local role app_owner;
grant create on schema app to app_definer;
reset role;
set local role app_definer;
create function app.audit_user() returns trigger
  language plpgsql security definer set search_path = '' as $$
begin
  insert into public.audit_logs (organization_id, actor, source, action, relation, before, after)
  select m.organization_id,
    coalesce('user ' || (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'),
      nullif(current_setting('app.actor', true), ''), session_user),
    coalesce(nullif(current_setting('role'), 'none'), session_user) || ' in '
      || current_setting('application_name'),
    'update', 'app.users', to_jsonb(old), to_jsonb(new)
  from app.memberships m where m.user_id = new.id;
  return null;
end $$;
revoke execute on function app.audit_user() from public;
grant execute on function app.audit_user() to app_owner;
reset role;
set local role app_owner;
revoke create on schema app from app_definer;
-- Not each time somebody logs in.
create trigger audit after update on app.users for each row
  when (old.email <> new.email or old.is_active <> new.is_active
    or old.full_name is distinct from new.full_name)
  execute function app.audit_user();
create trigger audit after insert or update or delete on app.enroll_tokens for each row
  execute function app.audit();
reset role;

-- Down Migration

set local role app_owner;
drop trigger audit on app.enroll_tokens;
drop trigger audit on app.users;
reset role;
set local role app_definer;
drop function app.audit_user();
reset role;
