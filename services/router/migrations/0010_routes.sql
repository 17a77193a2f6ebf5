-- What a provider lets the newest message be answered by, until when: {"value", "expires_at", "once"?} (shared/contract/envelope.py:Route).
ALTER TABLE conversation ADD COLUMN route jsonb;
