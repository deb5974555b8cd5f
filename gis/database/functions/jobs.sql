-- What workers go by.

-- One row, cheap enough to be read twice a second: workers act on what has changed in it, or is due.
-- Some of them only tell that something happened: digests, greatest numbers, latest times.
CREATE OR REPLACE VIEW gis.pulse AS
SELECT
  (SELECT coalesce(sum(version), 0)::bigint FROM gis.layer) AS rows_changed,
  (SELECT coalesce(md5(string_agg(id || digest || published, ' ' ORDER BY id)), '') FROM gis.layer)
    AS files_published,
  (SELECT max(id) FROM gis.alert_event) AS alert_stepped,
  (SELECT max(ended_at) FROM gis.job WHERE ended_at IS NOT NULL) AS job_ended,
  (SELECT array_agg(DISTINCT kind ORDER BY kind) FROM gis.job
   WHERE state = 'queued' AND not_before <= now()) AS jobs_due,
  (SELECT array_agg(DISTINCT owner ORDER BY owner) FROM gis.job WHERE state = 'running')
    AS working,
  EXISTS (SELECT FROM gis.delivery WHERE status = 'waiting' AND due_at <= now()) AS delivery_due,
  EXISTS (SELECT FROM gis.notification n, gis.cap_progress c WHERE n.seq > c.seq)
    OR EXISTS (SELECT FROM gis.cap_retry WHERE ended_at IS NULL AND due_at <= now())
    AS document_due,
  EXISTS (SELECT FROM gis.source
          WHERE active AND next_due <= now() AND paused_at IS NULL AND question IS NULL)
    AS source_due;
