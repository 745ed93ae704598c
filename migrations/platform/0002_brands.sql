-- The catalogue of tenants. A brand's row belongs to the brand itself: `brand_id` is its slug.
CREATE TABLE platform.brands (
    brand_id          text        NOT NULL CHECK (brand_id = slug),
    id                uuid        NOT NULL,
    slug              text        NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9_-]{1,32}$'),
    name              text        NOT NULL,
    status            text        NOT NULL CHECK (status IN ('draft', 'active', 'inactive')),
    compliance_regime text        NOT NULL CHECK (compliance_regime IN ('none', 'hipaa', 'gdpr', 'arl_5_7')),
    config            jsonb       NOT NULL DEFAULT '{}',
    version           bigint      NOT NULL,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    PRIMARY KEY (brand_id, id)
);
SELECT platform.protect('brands', 'SELECT, INSERT, UPDATE');
