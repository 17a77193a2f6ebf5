-- Addresses (as in identity) at which nobody is any more: since when, in the provider's words.
CREATE TABLE bad_address (
    tenant text NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    since timestamptz NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (tenant, kind, value)
);
