-- Who asks by them repeats the condition (services/router/retention.py).
CREATE INDEX message_files ON message USING gin (files_of(body))
    WHERE position('"blob":"'::bytea IN body) > 0 OR position('"raw":"'::bytea IN body) > 0;
CREATE INDEX event_files ON event USING gin (files_of(body))
    WHERE position('"blob":"'::bytea IN body) > 0 OR position('"raw":"'::bytea IN body) > 0;
-- The names that lead to a conversation.
CREATE INDEX external_ref_conversation ON external_ref (conversation_id) WHERE conversation_id IS NOT NULL;
