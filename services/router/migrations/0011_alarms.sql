-- When something is to be looked at again: whose it is, and why (services/router/fold/alarms.py). `shard`: of the entity, so that replicas share the looking.
CREATE TABLE alarm (
    entity uuid NOT NULL,
    kind text NOT NULL,
    shard smallint NOT NULL,
    due timestamptz NOT NULL,
    PRIMARY KEY (entity, kind)
);
CREATE INDEX alarm_due ON alarm (shard, due);

-- A conversation's own, by kind: the fold knows without asking.
ALTER TABLE conversation ADD COLUMN alarms jsonb NOT NULL DEFAULT '{}';
