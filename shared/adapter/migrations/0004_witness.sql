-- How far this database had come, told to Kafka every two seconds: a copy from before is seen by it (shared/bus/witness.py).
CREATE TABLE witness (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tick bigint NOT NULL DEFAULT 0);
INSERT INTO witness DEFAULT VALUES;
