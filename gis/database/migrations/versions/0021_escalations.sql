-- What nobody took on goes by the tier of which people were told: evidence that has weakened since
-- then keeps no escalation from those who wait for it.

CREATE FUNCTION gis.rank_told(told gis.notice) RETURNS int LANGUAGE sql STABLE AS $$
  SELECT greatest(
    gis.severity_rank(told.alert ->> 'severity'),
    CASE WHEN told.act = 'escalate' THEN
      (SELECT max(gis.severity_rank(n.alert ->> 'severity')) FROM gis.notice n
       WHERE n.alert_id = told.alert_id AND n.act IN ('open', 'notify'))
    END)
$$;

CREATE OR REPLACE FUNCTION gis.is_wanted_by_file(told gis.notice, named jsonb) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM jsonb_array_elements(named) AS one
    WHERE gis.rank_told(told) >= gis.severity_rank(one ->> 'from_tier')
      AND (one ->> 'when' IS NULL OR told.act = 'escalate'))
$$;

CREATE OR REPLACE FUNCTION gis.is_wanted_by_itself(told gis.notice, by gis.subscription)
RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT NOT by.only_named AND (by.layers = '{}' OR told.layer_id = ANY(by.layers))
    AND gis.rank_told(told) >= gis.severity_rank(by.least_severity)
$$;

ALTER FUNCTION gis.is_wanted(gis.notice, gis.subscription) STABLE;
