-- Schema 4: what sites say of themselves.
ALTER TABLE sites ADD COLUMN pulse TEXT;
