-- Units that were spent of a provider's quota on its newest day, by whoever shares it.
CREATE TABLE quota (
    channel text NOT NULL,
    name text NOT NULL,
    day date NOT NULL,
    used bigint NOT NULL,
    PRIMARY KEY (channel, name)
) WITH (fillfactor = 50);
