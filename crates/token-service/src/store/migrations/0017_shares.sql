-- What a client has of pushed requests and device codes is counted before it gets one more: by these indexes alone.
DROP INDEX pushed_requests_by_client;
CREATE INDEX pushed_requests_by_client ON pushed_requests (client_id, keep_until);
CREATE INDEX device_codes_by_client ON device_codes (client_id, expires_at) WHERE spent_at IS NULL;
CREATE INDEX device_codes_spent ON device_codes (spent_at) WHERE spent_at IS NOT NULL;
