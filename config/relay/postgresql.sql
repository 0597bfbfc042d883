-- The relay's role and database at a PostgreSQL that somebody else runs (14 or newer). Run it once as the administrator whom the provider
-- gives you (psql -f postgresql.sql), then set the password where nobody sees it: \password blinkd_relay
-- A test of blinkd runs it, and a relay by it.

-- It owns its own database and nothing else. Each relay process has 4 connections at most, each health check one.
CREATE ROLE blinkd_relay LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 64;

-- A receipt is a promise that a failover keeps: whatever the provider's default is. A relay that hangs keeps no rows locked for long.
ALTER ROLE blinkd_relay SET synchronous_commit = 'on';
ALTER ROLE blinkd_relay SET idle_in_transaction_session_timeout = '60s';

-- Who is no superuser can only give a database to a role of which they are a member.
GRANT blinkd_relay TO CURRENT_USER;
CREATE DATABASE blinkd OWNER blinkd_relay ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE blinkd FROM PUBLIC;
