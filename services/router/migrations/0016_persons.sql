-- An address's customer is its own for life. `merged_into`: the oldest of those who are one person with it, never a chain.
-- `shape` grows with every change of who belongs; `born` decides who is older; `shared`: the address is no single person's.
ALTER TABLE customer ADD COLUMN shape bigint NOT NULL DEFAULT 0, ADD COLUMN born timestamptz,
    ADD COLUMN shared boolean NOT NULL DEFAULT false;
WITH RECURSIVE up AS (
    SELECT id, merged_into AS root FROM customer WHERE merged_into IS NOT NULL
    UNION
    SELECT up.id, c.merged_into FROM up JOIN customer c ON c.id = up.root WHERE c.merged_into IS NOT NULL
)
UPDATE customer c SET merged_into = up.root FROM up JOIN customer r ON r.id = up.root AND r.merged_into IS NULL
WHERE c.id = up.id AND c.merged_into <> up.root;

-- Kinds say whose ids they are (`facebook:shop`). A row from before, whose kind is a channel, belongs to the account that met it
-- first since: by this kind.
ALTER TABLE identity ADD COLUMN adopted text;

-- The ledger: why two addresses are one person's. A proof and somebody's word are two rows; what was cut stays, with who cut it.
CREATE TABLE bond (
    a uuid NOT NULL,
    b uuid NOT NULL,
    source text NOT NULL,
    n bigint NOT NULL,
    live boolean NOT NULL,
    reason text NOT NULL,
    cause text NOT NULL,
    at timestamptz NOT NULL,
    cut_by text,
    cut_at timestamptz,
    PRIMARY KEY (a, b, source)
);
CREATE INDEX bond_other ON bond (b);
-- Two who were parted, or were never one: no proof joins them, a request may.
CREATE TABLE veto (a uuid NOT NULL, b uuid NOT NULL, reason text NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (a, b));
CREATE INDEX veto_other ON veto (b);
-- Two who may be one person, and why somebody should look; `is_open`: nobody has answered.
CREATE TABLE suggestion (
    a uuid NOT NULL,
    b uuid NOT NULL,
    reason text NOT NULL,
    is_open boolean NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (a, b)
);
CREATE INDEX suggestion_other ON suggestion (b);

-- Whose a message is, where it is not whoever began the conversation.
ALTER TABLE message ADD COLUMN home uuid;
