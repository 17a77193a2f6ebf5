-- What is due of each account, in its order: shared/storage/turns.py steps along these.
CREATE INDEX lane_turn ON lane (channel, account, next_try);
CREATE INDEX media_job_turn ON media_job (channel, account, next_try) WHERE done_at IS NULL;
CREATE INDEX profile_turn ON profile (channel, account, next_try) WHERE done_at IS NULL;
-- A plan that was made on other statistics would take these.
DROP INDEX lane_due;
DROP INDEX media_job_due;
DROP INDEX profile_due;
