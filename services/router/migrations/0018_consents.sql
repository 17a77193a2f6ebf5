-- What a customer wants to be sent without having asked, word by word; the newest of a purpose and channel counts ('': every channel).
CREATE TABLE consent (
    customer_id uuid NOT NULL,
    purpose text NOT NULL,
    channel text NOT NULL,
    at timestamptz NOT NULL,
    given boolean NOT NULL,
    evidence text NOT NULL,
    said_by text NOT NULL,
    PRIMARY KEY (customer_id, purpose, channel, at)
);
