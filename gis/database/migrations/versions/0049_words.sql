-- Notifications, evaluations, areas and recipients are called so.

ALTER TABLE gis.notice RENAME TO notification;
ALTER TABLE gis.notification RENAME CONSTRAINT notice_pkey TO notification_pkey;
ALTER TABLE gis.notification RENAME CONSTRAINT notice_event_id_key TO notification_event_id_key;
ALTER INDEX gis.notice_alert RENAME TO notification_alert;
ALTER SEQUENCE gis.notice_seq_seq RENAME TO notification_seq_seq;

ALTER TABLE gis.alert_look RENAME TO alert_evaluation;
ALTER TABLE gis.alert_evaluation RENAME COLUMN looked_at TO evaluated_at;
ALTER TABLE gis.alert_evaluation RENAME CONSTRAINT alert_look_pkey TO alert_evaluation_pkey;

ALTER TABLE gis.cap_undone RENAME TO cap_retry;
ALTER TABLE gis.cap_retry RENAME CONSTRAINT cap_undone_pkey TO cap_retry_pkey;
ALTER TABLE gis.cap_retry RENAME CONSTRAINT cap_undone_seq_fkey TO cap_retry_seq_fkey;
ALTER INDEX gis.cap_undone_alert RENAME TO cap_retry_alert;

ALTER TABLE gis.touched RENAME TO changed_area;
ALTER INDEX gis.touched_version RENAME TO changed_area_version;

ALTER TABLE gis.alert RENAME COLUMN told TO last_notification;

UPDATE gis.layer
SET definition = jsonb_set(definition #- '{alerts,tell}', '{alerts,recipients}',
                           definition #> '{alerts,tell}')
WHERE definition -> 'alerts' ? 'tell';
UPDATE gis.notification
SET alert = jsonb_set(alert #- '{layer,alerts,tell}', '{layer,alerts,recipients}',
                      alert #> '{layer,alerts,tell}')
WHERE alert #> '{layer,alerts}' ? 'tell';
