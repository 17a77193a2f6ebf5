-- Where whoever has the address was when they wrote last.
ALTER TABLE identity ADD COLUMN time_zone text;
-- What was sent to a customer who had not asked, for a week: by request, however many ways it took.
CREATE TABLE proactive (
    customer_id uuid NOT NULL,
    cause uuid NOT NULL,
    at timestamptz NOT NULL,
    purpose text NOT NULL,
    PRIMARY KEY (customer_id, cause)
);
CREATE INDEX proactive_at ON proactive (at);
