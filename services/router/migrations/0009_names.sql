-- The customer's name where it is not only the customer's word: a name that differs from it is.
ALTER TABLE conversation ADD COLUMN signed_name text;
