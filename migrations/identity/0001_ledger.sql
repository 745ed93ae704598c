-- What every schema owns beside its domain: the outbox, the inbox, the audit log, the keys of
-- retried calls, and the walls around them. `loop gen` writes this text into each service's
-- migrations as 0001_ledger.sql, with identity filled in; edit it here only.
--
-- Roles (made by `loop migrate`): identity_owner owns everything and runs migrations, identity_app
-- serves requests, identity_drain relays the outbox, identity_audit seals and reads the audit log.

-- Closes a domain table: row-level security for its owner too, both policies, the app's grants,
-- and a commit that fails unless the transaction left an audit row.
CREATE FUNCTION identity.protect(target text, privileges text DEFAULT 'SELECT, INSERT, UPDATE, DELETE')
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format('ALTER TABLE identity.%I ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE identity.%I FORCE ROW LEVEL SECURITY', target);
    EXECUTE format(
        'CREATE POLICY brand ON identity.%I
         USING (brand_id = (SELECT current_setting(''app.brand_id'', true)))
         WITH CHECK (brand_id = (SELECT current_setting(''app.brand_id'', true)))', target);
    EXECUTE format('GRANT %s ON identity.%I TO identity_app', privileges, target);
    EXECUTE format(
        'CREATE CONSTRAINT TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON identity.%I
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION identity.require_audit()', target);
END $$;

-- Refuses every change to what is there: for the audit log and ledgers. RLS and row triggers do
-- not see TRUNCATE, so the trigger is per statement.
CREATE FUNCTION identity.append_only(target text)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format(
        'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON identity.%I
         FOR EACH STATEMENT EXECUTE FUNCTION identity.refuse_change()', target);
END $$;

CREATE FUNCTION identity.refuse_change()
RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'LH002',
        MESSAGE = format('%I.%I is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME);
END $$;

CREATE TABLE identity.audit_log (
    brand_id       text        NOT NULL,
    seq            bigint      GENERATED ALWAYS AS IDENTITY,
    xid            xid8        NOT NULL DEFAULT pg_current_xact_id(),
    id             uuid        NOT NULL PRIMARY KEY,
    occurred_at    timestamptz NOT NULL,
    actor_type     text        NOT NULL,
    actor_id       text        NOT NULL,
    actor_brand_id text,
    event_type     text        NOT NULL,
    entity_type    text,
    entity_id      text,
    request_id     text,
    trace_id       text,
    details        jsonb       NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_by_brand ON identity.audit_log (brand_id, occurred_at DESC, id);
CREATE INDEX audit_log_by_xid ON identity.audit_log (xid, seq);

-- The row itself is the proof, not a setting: a setting could be forged.
CREATE FUNCTION identity.require_audit()
RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM identity.audit_log WHERE xid = pg_current_xact_id()) THEN
        RAISE EXCEPTION USING ERRCODE = 'LH001',
            MESSAGE = format('%I.%I changed without an audit row', TG_TABLE_SCHEMA, TG_TABLE_NAME);
    END IF;
    RETURN NULL;
END $$;

ALTER TABLE identity.audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity.audit_log FORCE ROW LEVEL SECURITY;
CREATE POLICY brand ON identity.audit_log
    USING (brand_id = (SELECT current_setting('app.brand_id', true)))
    WITH CHECK (brand_id = (SELECT current_setting('app.brand_id', true)));
CREATE POLICY seal ON identity.audit_log FOR SELECT TO identity_audit USING (true);
GRANT SELECT, INSERT ON identity.audit_log TO identity_app;
GRANT SELECT ON identity.audit_log TO identity_audit;
SELECT identity.append_only('audit_log');

-- One row a sealed batch: an RFC 6962 Merkle root over its audit rows, chained to the seal before
-- and signed. `witnesses` holds the heads of other services' chains at that moment, `leaves` the
-- 32-byte hashes under the root: with them a changed row can be named, not only its batch.
CREATE TABLE identity.audit_seals (
    brand_id  text        NOT NULL DEFAULT '*',
    n         bigint      NOT NULL PRIMARY KEY,
    prev_head bytea       NOT NULL,
    root      bytea       NOT NULL,
    head      bytea       NOT NULL,
    row_count bigint      NOT NULL,
    min_seq   bigint      NOT NULL,
    max_seq   bigint      NOT NULL,
    since     pg_snapshot NOT NULL,
    until     pg_snapshot NOT NULL,
    witnesses jsonb       NOT NULL DEFAULT '{}',
    sealed_at timestamptz NOT NULL,
    key_id    text        NOT NULL,
    signature bytea       NOT NULL,
    leaves    bytea       NOT NULL
);
ALTER TABLE identity.audit_seals ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity.audit_seals FORCE ROW LEVEL SECURITY;
CREATE POLICY brand ON identity.audit_seals
    USING (brand_id = (SELECT current_setting('app.brand_id', true)))
    WITH CHECK (brand_id = (SELECT current_setting('app.brand_id', true)));
CREATE POLICY seal ON identity.audit_seals TO identity_audit USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON identity.audit_seals TO identity_audit;
SELECT identity.append_only('audit_seals');

-- The version of each aggregate: bumped, and so locked, before its outbox row is written. The
-- relay's ordering rests on that.
CREATE TABLE identity.aggregates (
    brand_id  text   NOT NULL,
    aggregate text   NOT NULL,
    key       text   NOT NULL,
    version   bigint NOT NULL,
    PRIMARY KEY (brand_id, aggregate, key)
);
SELECT identity.protect('aggregates', 'SELECT, INSERT, UPDATE');

CREATE TABLE identity.outbox (
    brand_id       text        NOT NULL,
    seq            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid            xid8        NOT NULL DEFAULT pg_current_xact_id(),
    event_id       uuid        NOT NULL UNIQUE,
    name           text        NOT NULL,
    aggregate      text        NOT NULL,
    key            text        NOT NULL,
    version        bigint      NOT NULL,
    occurred_at    timestamptz NOT NULL,
    correlation_id text        NOT NULL,
    causation_id   text,
    traceparent    text,
    payload        bytea       NOT NULL,
    UNIQUE (brand_id, aggregate, key, version)
);
CREATE INDEX outbox_by_xid ON identity.outbox (xid, seq);
SELECT identity.protect('outbox', 'SELECT, INSERT');
CREATE POLICY drain ON identity.outbox FOR SELECT TO identity_drain USING (true);
GRANT SELECT ON identity.outbox TO identity_drain;

-- How far each bus has come: everything visible in `snapshot` was published. While a backlog is
-- paged, `target` is its frozen upper end and `last_seq` the last row sent of it. A leader writes
-- only while `fence` is the number it took.
CREATE TABLE identity.relay_cursors (
    brand_id          text        NOT NULL DEFAULT '*',
    bus               text        NOT NULL PRIMARY KEY,
    snapshot          pg_snapshot NOT NULL,
    target            pg_snapshot,
    last_seq          bigint      NOT NULL DEFAULT 0,
    fence             bigint      NOT NULL DEFAULT 0,
    stream_epoch      integer     NOT NULL DEFAULT 1,
    system_identifier bigint      NOT NULL,
    moved_at          timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE identity.relay_cursors ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity.relay_cursors FORCE ROW LEVEL SECURITY;
CREATE POLICY brand ON identity.relay_cursors
    USING (brand_id = (SELECT current_setting('app.brand_id', true)))
    WITH CHECK (brand_id = (SELECT current_setting('app.brand_id', true)));
CREATE POLICY drain ON identity.relay_cursors TO identity_drain USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON identity.relay_cursors TO identity_drain;
-- Whoever is asked for events out of turn names the epoch that they belong to.
CREATE POLICY epoch ON identity.relay_cursors FOR SELECT TO identity_app USING (true);
GRANT SELECT (stream_epoch) ON identity.relay_cursors TO identity_app;

-- The version gate: how far this service has applied each aggregate of each producer, and what
-- came too early.
CREATE TABLE identity.stream_positions (
    brand_id  text    NOT NULL,
    producer  text    NOT NULL,
    epoch     integer NOT NULL,
    aggregate text    NOT NULL,
    key       text    NOT NULL,
    version   bigint  NOT NULL,
    PRIMARY KEY (brand_id, producer, aggregate, key, epoch)
);
CREATE TABLE identity.parked_events (
    brand_id  text        NOT NULL,
    producer  text        NOT NULL,
    epoch     integer     NOT NULL,
    aggregate text        NOT NULL,
    key       text        NOT NULL,
    version   bigint      NOT NULL,
    event_id  uuid        NOT NULL,
    envelope  bytea       NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, producer, aggregate, key, epoch, version)
);
-- Events without a version are told apart by id.
CREATE TABLE identity.inbox (
    brand_id   text        NOT NULL,
    handler    text        NOT NULL,
    event_id   uuid        NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, handler, event_id)
);
-- What a handler failed at too often. While a row is `blocked`, later versions of its key park.
CREATE TABLE identity.dead_letters (
    brand_id   text        NOT NULL,
    event_id   uuid        NOT NULL,
    name       text        NOT NULL,
    producer   text        NOT NULL,
    aggregate  text        NOT NULL,
    key        text        NOT NULL,
    version    bigint      NOT NULL,
    envelope   bytea       NOT NULL,
    error      text        NOT NULL,
    attempts   integer     NOT NULL,
    state      text        NOT NULL CHECK (state IN ('failing', 'blocked', 'skipped', 'resolved')),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (brand_id, event_id)
);
CREATE INDEX dead_letters_blocking ON identity.dead_letters (brand_id, producer, aggregate, key)
    WHERE state = 'blocked' AND version > 0;
-- Answers to calls that carried an Idempotency-Key, stored in the transaction they answer for.
CREATE TABLE identity.idempotency_keys (
    brand_id     text        NOT NULL,
    client_id    text        NOT NULL,
    method       text        NOT NULL,
    key          text        NOT NULL,
    request_hash bytea       NOT NULL,
    response     bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (brand_id, client_id, method, key)
);
CREATE INDEX idempotency_keys_by_expiry ON identity.idempotency_keys (expires_at);

-- Bookkeeping of delivery: closed by brand like all else, but a position that moves is no change
-- that a person should read of.
DO $$
DECLARE target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['stream_positions', 'parked_events', 'inbox', 'dead_letters', 'idempotency_keys']
    LOOP
        PERFORM identity.protect(target);
        EXECUTE format('DROP TRIGGER audited ON identity.%I', target);
    END LOOP;
    -- What waits is looked for over all brands, and applied within each.
    FOREACH target IN ARRAY ARRAY['stream_positions', 'parked_events', 'dead_letters']
    LOOP
        EXECUTE format('CREATE POLICY drain ON identity.%I FOR SELECT TO identity_drain USING (true)', target);
        EXECUTE format('GRANT SELECT ON identity.%I TO identity_drain', target);
    END LOOP;
END $$;
