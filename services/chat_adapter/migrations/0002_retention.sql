-- Where a walk through a whole table goes on, and when it last came to its end (shared/storage/walks.py).
CREATE TABLE walk (
    name text PRIMARY KEY,
    place text[] NOT NULL DEFAULT '{}',
    begun_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);
