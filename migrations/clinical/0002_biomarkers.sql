-- Laboratory reports and their results. Rows are facts: a correction is a new report.
CREATE TABLE clinical.lab_reports (
    brand_id    text        NOT NULL,
    id          uuid        NOT NULL,
    patient_id  text        NOT NULL,
    source      text        NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (brand_id, id)
);
CREATE INDEX lab_reports_by_patient ON clinical.lab_reports (brand_id, patient_id, recorded_at DESC);
SELECT clinical.protect('lab_reports', 'SELECT, INSERT');

-- `value` and its range are in `unit`, the platform's unit for the code; what the laboratory wrote
-- stands beside it.
CREATE TABLE clinical.biomarkers (
    brand_id       text        NOT NULL,
    id             uuid        NOT NULL,
    report_id      uuid        NOT NULL,
    patient_id     text        NOT NULL,
    code           text        NOT NULL,
    name           text        NOT NULL,
    comparator     text        CHECK (comparator IN ('<', '>')),
    value          numeric     NOT NULL,
    unit           text        NOT NULL,
    reference_low  numeric,
    reference_high numeric,
    status         text        NOT NULL CHECK (status IN ('normal', 'low', 'high', 'critical')),
    original_value text        NOT NULL,
    original_unit  text        NOT NULL,
    ruleset        text        NOT NULL,
    collected_at   timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (brand_id, id),
    FOREIGN KEY (brand_id, report_id) REFERENCES clinical.lab_reports (brand_id, id),
    UNIQUE (brand_id, report_id, code, collected_at)
);
CREATE INDEX biomarkers_by_patient
    ON clinical.biomarkers (brand_id, patient_id, collected_at DESC, id DESC);
SELECT clinical.protect('biomarkers', 'SELECT, INSERT');
