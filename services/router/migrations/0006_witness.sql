-- How far this database had come, told to Kafka every two seconds: a copy from before is seen by it (shared/bus/witness.py).
CREATE TABLE witness (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tick bigint NOT NULL DEFAULT 0);
INSERT INTO witness DEFAULT VALUES;

-- The sequences that consumers have seen of conversations which a restored copy does not know (yet).
CREATE TABLE sequence_floor (conversation_id uuid PRIMARY KEY, last_sequence bigint NOT NULL);

-- How far inputs must be read before reports of sends are: the message that a report is of stands there.
CREATE TABLE read_first (topic text NOT NULL, partition int NOT NULL, upto bigint NOT NULL, PRIMARY KEY (topic, partition));
