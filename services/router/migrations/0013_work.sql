-- What the desk works with: `last_at` to the minute, so that a burst of messages writes no index; closed, and by what it may go
-- on; whose it is; who waits since when; the newest message of others, and the oldest that nobody has read; how our newest send
-- failed; how long people waited for answers.
ALTER TABLE conversation
    ADD COLUMN listed_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN reopens boolean NOT NULL DEFAULT false,
    ADD COLUMN closed_at timestamptz,
    ADD COLUMN assignee text,
    ADD COLUMN tags jsonb,
    ADD COLUMN priority text,
    ADD COLUMN waiting_since timestamptz,
    ADD COLUMN heard bigint,
    ADD COLUMN unread_from bigint,
    ADD COLUMN failure jsonb,
    ADD COLUMN responses jsonb;
