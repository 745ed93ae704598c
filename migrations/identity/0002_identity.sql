-- People, programs, and what the one lets the other do.
--
-- Of every secret only its SHA-256 is here, or its argon2id hash if people choose it. Whoever may
-- be revoked has an `epoch`. What is issued carries the epochs that stood when it was granted, and
-- holds only while they still stand: to end all of it at once, one epoch is raised.

CREATE TABLE identity.users (
    brand_id   text        NOT NULL,
    user_id    uuid        NOT NULL,
    email      text        NOT NULL CHECK (email = lower(email)),
    name       text        NOT NULL,
    enabled    boolean     NOT NULL DEFAULT true,
    epoch      bigint      NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (brand_id, user_id),
    UNIQUE (brand_id, email)
);

-- How a person proves who they are to the embedded identity provider.
CREATE TABLE identity.credentials (
    brand_id      text        NOT NULL,
    user_id       uuid        NOT NULL,
    password_hash text        NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    changed_at    timestamptz NOT NULL,
    PRIMARY KEY (brand_id, user_id),
    FOREIGN KEY (brand_id, user_id) REFERENCES identity.users ON DELETE CASCADE
);

-- A browser in which a person has signed in.
CREATE TABLE identity.sessions (
    brand_id     text        NOT NULL,
    session_hash bytea       NOT NULL CHECK (length(session_hash) = 32),
    user_id      uuid        NOT NULL,
    user_epoch   bigint      NOT NULL,
    started_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (brand_id, session_hash),
    FOREIGN KEY (brand_id, user_id) REFERENCES identity.users ON DELETE CASCADE
);
CREATE INDEX sessions_by_hash ON identity.sessions (session_hash);
CREATE INDEX sessions_by_expiry ON identity.sessions (brand_id, expires_at);

CREATE TABLE identity.oauth_clients (
    brand_id             text        NOT NULL,
    client_id            text        NOT NULL CHECK (client_id LIKE 'cli\_%'),
    client_type          text        NOT NULL
        CHECK (client_type IN ('public', 'confidential', 'machine')),
    client_name          text        NOT NULL,
    client_uri           text        NOT NULL DEFAULT '',
    logo_uri             text        NOT NULL DEFAULT '',
    is_first_party       boolean     NOT NULL,
    baa_signed           boolean     NOT NULL DEFAULT false,
    allowed_scopes       text[]      NOT NULL,
    allowed_origins      text[]      NOT NULL DEFAULT '{}',
    -- Brands that a machine client of the platform may act in; '*' for all.
    allowed_brands       text[]      NOT NULL DEFAULT '{}',
    access_token_seconds integer     NOT NULL DEFAULT 3600
        CHECK (access_token_seconds BETWEEN 300 AND 3600),
    enabled              boolean     NOT NULL DEFAULT true,
    epoch                bigint      NOT NULL DEFAULT 1,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    PRIMARY KEY (brand_id, client_id),
    -- A machine's scopes and a person's never meet.
    CHECK (CASE client_type
        WHEN 'machine' THEN ' ' || array_to_string(allowed_scopes, ' ') !~ ' (?!admin:)'
        ELSE array_to_string(allowed_scopes, ' ') NOT LIKE '%admin:%'
    END),
    CHECK (allowed_brands = '{}' OR client_type = 'machine' AND brand_id = '*')
);
-- A client id names one client in all brands: it is looked up before its brand is known.
CREATE INDEX oauth_clients_by_id ON identity.oauth_clients (client_id);
CREATE INDEX oauth_clients_by_age ON identity.oauth_clients (brand_id, created_at DESC, client_id);

-- Two live secrets at most: the current one, and the one before while the client moves over.
CREATE TABLE identity.client_secrets (
    brand_id    text        NOT NULL,
    client_id   text        NOT NULL,
    generation  text        NOT NULL CHECK (generation IN ('current', 'previous')),
    secret_hash bytea       NOT NULL CHECK (length(secret_hash) = 32),
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz,
    PRIMARY KEY (brand_id, client_id, generation),
    FOREIGN KEY (brand_id, client_id) REFERENCES identity.oauth_clients ON DELETE CASCADE,
    CHECK ((generation = 'previous') = (expires_at IS NOT NULL))
);

CREATE TABLE identity.client_redirect_uris (
    brand_id  text    NOT NULL,
    client_id text    NOT NULL,
    position  integer NOT NULL,
    uri       text    NOT NULL,
    PRIMARY KEY (brand_id, client_id, position),
    UNIQUE (brand_id, client_id, uri),
    FOREIGN KEY (brand_id, client_id) REFERENCES identity.oauth_clients ON DELETE CASCADE
);

-- What a person lets an app do: the connected app.
CREATE TABLE identity.grants (
    brand_id   text        NOT NULL,
    grant_id   uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    client_id  text        NOT NULL,
    scopes     text[]      NOT NULL,
    epoch      bigint      NOT NULL,
    granted_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (brand_id, grant_id),
    UNIQUE (brand_id, user_id, client_id),
    FOREIGN KEY (brand_id, user_id) REFERENCES identity.users ON DELETE CASCADE,
    FOREIGN KEY (brand_id, client_id) REFERENCES identity.oauth_clients ON DELETE CASCADE
);

-- Each time somebody allowed or ended it.
CREATE TABLE identity.consent_events (
    brand_id    text        NOT NULL,
    event_id    uuid        NOT NULL,
    grant_id    uuid        NOT NULL,
    user_id     uuid        NOT NULL,
    client_id   text        NOT NULL,
    action      text        NOT NULL CHECK (action IN ('granted', 'revoked')),
    scopes      text[]      NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (brand_id, event_id)
);
CREATE INDEX consent_events_by_grant ON identity.consent_events (brand_id, grant_id, occurred_at);

-- Kept for a day after its minute, so that a replay is known for what it is.
CREATE TABLE identity.authorization_codes (
    brand_id       text        NOT NULL,
    code_hash      bytea       NOT NULL CHECK (length(code_hash) = 32),
    grant_id       uuid        NOT NULL,
    user_id        uuid        NOT NULL,
    client_id      text        NOT NULL,
    redirect_uri   text        NOT NULL,
    code_challenge bytea       NOT NULL CHECK (length(code_challenge) = 32),
    scopes         text[]      NOT NULL,
    user_epoch     bigint      NOT NULL,
    client_epoch   bigint      NOT NULL,
    grant_epoch    bigint      NOT NULL,
    expires_at     timestamptz NOT NULL,
    consumed_at    timestamptz,
    PRIMARY KEY (brand_id, code_hash),
    FOREIGN KEY (brand_id, grant_id) REFERENCES identity.grants ON DELETE CASCADE
);
CREATE INDEX authorization_codes_by_expiry ON identity.authorization_codes (brand_id, expires_at);

-- All refresh tokens that came from one code.
CREATE TABLE identity.refresh_families (
    brand_id         text        NOT NULL,
    family_id        uuid        NOT NULL,
    grant_id         uuid        NOT NULL,
    user_id          uuid        NOT NULL,
    client_id        text        NOT NULL,
    scopes           text[]      NOT NULL,
    current_sequence bigint      NOT NULL,
    epoch            bigint      NOT NULL,
    user_epoch       bigint      NOT NULL,
    client_epoch     bigint      NOT NULL,
    grant_epoch      bigint      NOT NULL,
    -- When its current token ends if it stays unused.
    expires_at       timestamptz NOT NULL,
    revoked_at       timestamptz,
    PRIMARY KEY (brand_id, family_id),
    FOREIGN KEY (brand_id, grant_id) REFERENCES identity.grants ON DELETE CASCADE
);
CREATE INDEX refresh_families_by_expiry ON identity.refresh_families (brand_id, expires_at);

CREATE TABLE identity.refresh_tokens (
    brand_id         text        NOT NULL,
    token_hash       bytea       NOT NULL CHECK (length(token_hash) = 32),
    family_id        uuid        NOT NULL,
    sequence         bigint      NOT NULL,
    expires_at       timestamptz NOT NULL,
    consumed_at      timestamptz,
    -- Encrypted under this token: it alone opens its successor.
    sealed_successor bytea,
    PRIMARY KEY (brand_id, token_hash),
    UNIQUE (brand_id, family_id, sequence),
    FOREIGN KEY (brand_id, family_id) REFERENCES identity.refresh_families ON DELETE CASCADE,
    CHECK ((consumed_at IS NULL) = (sealed_successor IS NULL))
);

-- A person's token has all of user, grant and family; a machine's has none.
CREATE TABLE identity.access_tokens (
    brand_id     text        NOT NULL,
    token_hash   bytea       NOT NULL CHECK (length(token_hash) = 32),
    client_id    text        NOT NULL,
    client_epoch bigint      NOT NULL,
    user_id      uuid,
    user_epoch   bigint,
    grant_id     uuid,
    grant_epoch  bigint,
    family_id    uuid,
    family_epoch bigint,
    -- The one brand that a machine of the platform wanted it for.
    for_brand    text,
    scopes       text[]      NOT NULL,
    issued_at    timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    revoked_at   timestamptz,
    PRIMARY KEY (brand_id, token_hash),
    CHECK (num_nulls(user_id, user_epoch, grant_id, grant_epoch, family_id, family_epoch) IN (0, 6)),
    CHECK (for_brand IS NULL OR user_id IS NULL AND brand_id = '*')
);
CREATE INDEX access_tokens_by_hash ON identity.access_tokens (token_hash);
CREATE INDEX access_tokens_by_grant ON identity.access_tokens (brand_id, grant_id, expires_at)
    WHERE grant_id IS NOT NULL;
CREATE INDEX access_tokens_by_expiry ON identity.access_tokens (brand_id, expires_at);

-- A client with all that is known of it. Rights and rows are those of whoever asks.
CREATE VIEW identity.registered_clients WITH (security_invoker = true) AS
SELECT c.*,
    ARRAY(SELECT r.uri FROM identity.client_redirect_uris r
          WHERE r.brand_id = c.brand_id AND r.client_id = c.client_id
          ORDER BY r.position) AS redirect_uris,
    current.secret_hash AS current_secret,
    previous.secret_hash AS previous_secret,
    previous.expires_at AS previous_secret_expires_at
FROM identity.oauth_clients c
LEFT JOIN identity.client_secrets current ON current.brand_id = c.brand_id
    AND current.client_id = c.client_id AND current.generation = 'current'
LEFT JOIN identity.client_secrets previous ON previous.brand_id = c.brand_id
    AND previous.client_id = c.client_id AND previous.generation = 'previous';
GRANT SELECT ON identity.registered_clients TO identity_app, identity_resolve;

SELECT identity.protect('users', 'SELECT, INSERT, UPDATE');
SELECT identity.protect('credentials', 'SELECT, INSERT, UPDATE');
SELECT identity.protect('sessions');
SELECT identity.protect('oauth_clients', 'SELECT, INSERT, UPDATE');
SELECT identity.protect('client_secrets', 'SELECT, INSERT, UPDATE');
SELECT identity.protect('client_redirect_uris', 'SELECT, INSERT, DELETE');
SELECT identity.protect('grants', 'SELECT, INSERT, UPDATE');
SELECT identity.protect('consent_events', 'SELECT, INSERT');
SELECT identity.append_only('consent_events');
SELECT identity.protect('authorization_codes');
SELECT identity.protect('refresh_families');
SELECT identity.protect('refresh_tokens');
SELECT identity.protect('access_tokens');

-- Deletes what has ended, a few rows a call, so that tables stay as large as what lives in them.
-- Runs in the caller's transaction, brand and rights; every issue of tokens calls it.
CREATE FUNCTION identity.sweep(brand text, present timestamptz, at_most integer)
RETURNS void LANGUAGE sql SET search_path = identity, pg_catalog AS $$
    DELETE FROM access_tokens WHERE brand_id = brand AND token_hash IN (
        SELECT token_hash FROM access_tokens
        WHERE brand_id = brand AND expires_at < present - interval '1 hour'
        ORDER BY expires_at LIMIT at_most FOR UPDATE SKIP LOCKED);
    DELETE FROM authorization_codes WHERE brand_id = brand AND code_hash IN (
        SELECT code_hash FROM authorization_codes
        WHERE brand_id = brand AND expires_at < present - interval '1 day'
        ORDER BY expires_at LIMIT at_most FOR UPDATE SKIP LOCKED);
    DELETE FROM refresh_families WHERE brand_id = brand AND family_id IN (
        SELECT family_id FROM refresh_families
        WHERE brand_id = brand AND expires_at < present - interval '1 day'
        ORDER BY expires_at LIMIT at_most FOR UPDATE SKIP LOCKED);
    DELETE FROM sessions WHERE brand_id = brand AND session_hash IN (
        SELECT session_hash FROM sessions
        WHERE brand_id = brand AND expires_at < present
        ORDER BY expires_at LIMIT at_most FOR UPDATE SKIP LOCKED);
$$;
GRANT EXECUTE ON FUNCTION identity.sweep TO identity_app;

-- Whoever shows a secret has not said in which brand it holds. One role may look for it in all of
-- them: to read, by these columns, and nothing else.
GRANT SELECT (brand_id, user_id, enabled, epoch) ON identity.users TO identity_resolve;
GRANT SELECT ON identity.sessions TO identity_resolve;
GRANT SELECT ON identity.oauth_clients TO identity_resolve;
GRANT SELECT ON identity.client_secrets TO identity_resolve;
GRANT SELECT ON identity.client_redirect_uris TO identity_resolve;
GRANT SELECT (brand_id, grant_id, epoch, revoked_at) ON identity.grants TO identity_resolve;
GRANT SELECT (brand_id, family_id, epoch) ON identity.refresh_families TO identity_resolve;
GRANT SELECT ON identity.access_tokens TO identity_resolve;
CREATE POLICY resolve ON identity.users FOR SELECT TO identity_resolve USING (true);
CREATE POLICY resolve ON identity.sessions FOR SELECT TO identity_resolve USING (true);
CREATE POLICY resolve ON identity.oauth_clients FOR SELECT TO identity_resolve USING (true);
CREATE POLICY resolve ON identity.client_secrets FOR SELECT TO identity_resolve USING (true);
CREATE POLICY resolve ON identity.client_redirect_uris FOR SELECT TO identity_resolve USING (true);
CREATE POLICY resolve ON identity.grants FOR SELECT TO identity_resolve USING (true);
CREATE POLICY resolve ON identity.refresh_families FOR SELECT TO identity_resolve USING (true);
CREATE POLICY resolve ON identity.access_tokens FOR SELECT TO identity_resolve USING (true);
