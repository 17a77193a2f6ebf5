-- What was given for one conversation, and the files of one chat.
CREATE INDEX send_conversation ON send (conversation);
CREATE INDEX media_job_peer ON media_job (channel, account, peer);
