-- An answer that was shown before it was whole, by the id that it has: by what name the provider knows what shows it ('' where that
-- passes by itself, NULL while nobody knows), and until when it may be under way. Gone in a day.
CREATE TABLE growing (
    message_id uuid PRIMARY KEY,
    name text,
    busy_until timestamptz,
    begun_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
