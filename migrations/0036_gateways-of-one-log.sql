-- A gateway that enrolled anew goes on with the log of the one before: when that was last heard, and
-- what its ledger says, is known within its store, as its epochs are.

-- Up Migration

set local role app_owner;
alter policy gateway_state_select_ingest on app.gateway_state
  using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));
alter policy gateway_losses_select_ingest on app.gateway_losses
  using (organization_id = (select app.organization_id())
    and store_id = (select app.store_id()));
reset role;

-- Down Migration

set local role app_owner;
alter policy gateway_losses_select_ingest on app.gateway_losses
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()) and store_id = (select app.store_id()));
alter policy gateway_state_select_ingest on app.gateway_state
  using (organization_id = (select app.organization_id())
    and gateway_id = (select app.gateway_id()));
reset role;
