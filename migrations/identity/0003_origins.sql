-- The gateway asks whether any client has registered an origin, before it knows which client calls.
CREATE INDEX oauth_clients_by_origin ON identity.oauth_clients USING gin (allowed_origins)
    WHERE enabled;
