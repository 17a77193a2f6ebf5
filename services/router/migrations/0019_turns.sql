-- The messages of a turn that is not over: {"messages": ids, "at": when the newest came}.
ALTER TABLE conversation ADD COLUMN turn jsonb;
