-- People to ask a provider about. A row that is done says until when nobody asks again; what was answered stands here
-- only until it is on the bus.
CREATE TABLE profile (
    tenant text NOT NULL,
    channel text NOT NULL,
    account text NOT NULL,
    address text NOT NULL,
    peer text NOT NULL,
    record_key bytea NOT NULL,
    traceparent text,
    owner uuid,
    lease_until timestamptz,
    next_try timestamptz NOT NULL DEFAULT now(),
    tries int NOT NULL DEFAULT 0,
    noted_at timestamptz NOT NULL DEFAULT now(),
    party jsonb,
    asked_at timestamptz,
    done_at timestamptz,
    good_until timestamptz,
    PRIMARY KEY (tenant, channel, account, address)
) WITH (fillfactor = 70);
CREATE INDEX profile_due ON profile (next_try) WHERE done_at IS NULL;
CREATE INDEX profile_old ON profile (good_until) WHERE good_until IS NOT NULL;
