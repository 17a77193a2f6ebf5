-- Kafka's id of the topic whose offset it is; null: not known yet, and the next owner notes the one it finds.
ALTER TABLE source_offset ADD COLUMN log_id text;
