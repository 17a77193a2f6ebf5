-- Access tokens that are refreshed: one row per account. `sealed`: token and refresh token, encrypted under PARLEY_SECRET for this
-- account alone. `epoch` grows with every refresh. `given`: a digest of the settings that it was made from. `refused`: the
-- provider refused this token. `code`, `detail`: why the last try to refresh it failed.
CREATE TABLE credential (
    channel text NOT NULL,
    account text NOT NULL,
    sealed bytea,
    epoch bigint NOT NULL DEFAULT 0,
    given bytea,
    refreshed_at timestamptz,
    expires_at timestamptz,
    refused boolean NOT NULL DEFAULT false,
    tries int NOT NULL DEFAULT 0,
    next_try timestamptz NOT NULL DEFAULT now(),
    code text,
    detail text NOT NULL DEFAULT '',
    PRIMARY KEY (channel, account)
);
