-- Patients. A user of the platform is at most one patient in a brand.
CREATE TABLE patient_graph.patients (
    brand_id      text        NOT NULL,
    id            uuid        NOT NULL,
    user_id       text,
    first_name    text        NOT NULL,
    last_name     text        NOT NULL,
    date_of_birth date,
    gender        text        NOT NULL CHECK (gender IN ('unknown', 'female', 'male', 'intersex')),
    email         text,
    phone         text,
    external_ids  jsonb       NOT NULL DEFAULT '{}',
    status        text        NOT NULL,
    metadata      jsonb       NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (brand_id, id),
    UNIQUE (brand_id, user_id)
);
SELECT patient_graph.protect('patients', 'SELECT, INSERT, UPDATE');

-- What happened to a patient, as other services' events told. `patient_id` is text: an event may
-- name a patient of another source, and arrives before nobody's foreign key.
CREATE TABLE patient_graph.timeline_events (
    brand_id    text        NOT NULL,
    id          uuid        NOT NULL,
    patient_id  text        NOT NULL,
    event_type  text        NOT NULL,
    title       text        NOT NULL,
    description text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    source_type text        NOT NULL,
    source_id   text        NOT NULL,
    metadata    jsonb       NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (brand_id, id)
);
CREATE INDEX timeline_events_by_patient
    ON patient_graph.timeline_events (brand_id, patient_id, occurred_at DESC, id DESC);
SELECT patient_graph.protect('timeline_events', 'SELECT, INSERT');
