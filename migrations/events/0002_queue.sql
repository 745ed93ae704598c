-- The durable bus in Postgres: one row for each event and consumer. It is the queue while the row is
-- pending, and the audit of deliveries afterwards.
--
-- The role events_bus relays and receives for all services and brands; events_app shows a brand its
-- own deliveries.
CREATE TABLE events.deliveries (
    brand_id       text        NOT NULL,
    event_id       uuid        NOT NULL,
    consumer       text        NOT NULL,
    name           text        NOT NULL,
    producer       text        NOT NULL,
    aggregate      text        NOT NULL,
    key            text        NOT NULL,
    version        bigint      NOT NULL,
    occurred_at    timestamptz NOT NULL,
    correlation_id text        NOT NULL,
    envelope       bytea       NOT NULL,
    state          text        NOT NULL DEFAULT 'pending'
                   CHECK (state IN ('pending', 'delivered', 'dead')),
    -- How often it was received.
    attempts       integer     NOT NULL DEFAULT 0,
    -- While pending: not received before.
    visible_at     timestamptz NOT NULL DEFAULT now(),
    delivered_at   timestamptz,
    PRIMARY KEY (consumer, event_id),
    CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
-- Each receipt leaves a dead row behind in the index; the default waits for a fifth of the table.
) WITH (autovacuum_vacuum_scale_factor = 0.02);

-- Receiving reads nothing but rows that are due, roughly in the order they happened.
CREATE INDEX deliveries_due ON events.deliveries
    (consumer, visible_at, occurred_at, version) WHERE state = 'pending';
CREATE INDEX deliveries_by_brand ON events.deliveries (brand_id, occurred_at DESC, event_id);
CREATE INDEX deliveries_done ON events.deliveries (delivered_at) WHERE state = 'delivered';

SELECT events.protect('deliveries', 'SELECT');
-- Bookkeeping, as in the ledger.
DROP TRIGGER audited ON events.deliveries;
CREATE POLICY bus ON events.deliveries TO events_bus USING (true) WITH CHECK (true);
GRANT USAGE ON SCHEMA events TO events_bus;
GRANT SELECT, INSERT, UPDATE, DELETE ON events.deliveries TO events_bus;
