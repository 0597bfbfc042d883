-- What the pages of the logs ask for: attempts of a day, and what the relay does not take, of a million each.
CREATE INDEX scan_log_by_time ON scan_log (us);
CREATE INDEX chain_failed ON chain (seq) WHERE sync = 'FAILED';
