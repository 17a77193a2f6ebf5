-- In whose lanes nothing stays readable that has ended, and since when.
CREATE TABLE forgotten (conversation uuid PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());
