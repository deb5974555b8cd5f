-- Findings and alerts as layers, whose files say `source: {connector: view}`: those of public layers
-- alone. security_barrier: a filter of a reader is asked about no row that he does not see; an error
-- that it makes of one (a root of a negative number, say) would tell that the row is there.

-- The last run of each day in Vietnam, with the days (the last not included) of which it tells.
CREATE OR REPLACE VIEW gis.run_in_force AS
  SELECT last_of_day.*,
         lead(valid_from) OVER (PARTITION BY layer_id, method ORDER BY valid_from) AS valid_to
  FROM (SELECT DISTINCT ON (layer_id, method, gis.day_of(input_until)) *,
               gis.day_of(input_until) AS valid_from
        FROM gis.hotspot_run
        ORDER BY layer_id, method, gis.day_of(input_until), input_until DESC, id DESC) AS last_of_day;

CREATE OR REPLACE VIEW layer.hotspots WITH (security_barrier = true) AS
  SELECT h.id, h.geom, gis.h3_text(h.cell) AS cell, r.layer_id AS of_layer, h.commune, h.count,
         h.neighbours_count, h.expected, h.z, h.p, h.q, h.edge, h.explanation_vi, h.explanation_en,
         r.official, r.simulated, r.method, r.run_at, r.input_until AS valid_at, r.id AS run,
         r.valid_from, r.valid_to
  FROM gis.hotspot h JOIN gis.run_in_force r ON r.id = h.run_id
  WHERE gis.is_public(r.layer_id);

CREATE OR REPLACE VIEW layer.local_moran WITH (security_barrier = true) AS
  SELECT m.id, m.geom, gis.h3_text(m.cell) AS cell, r.layer_id AS of_layer, m.commune, m.category,
         m.count, m.expected, m.neighbours_count, m.neighbours_expected, m.moran, m.p, m.q, m.edge,
         m.explanation_vi, m.explanation_en, r.official, r.simulated, r.run_at,
         r.input_until AS valid_at, r.id AS run, r.valid_from, r.valid_to
  FROM gis.local_moran m JOIN gis.run_in_force r ON r.id = m.run_id
  WHERE gis.is_public(r.layer_id);

-- The one rule of publication: everybody sees an alert of a public layer once it is approved, unless it is
-- pending or suppressed, or for operators alone. All others are the desk's. Whatever answers everybody asks
-- this view: routes, layers, tiles, exports, streams of events, CAP.
CREATE OR REPLACE VIEW gis.published_alert AS
  SELECT a.id FROM gis.alert a JOIN gis.approval p ON p.alert_id = a.id AND p.withdrawn_at IS NULL
  WHERE a.status NOT IN ('pending', 'suppressed') AND NOT gis.is_internal(a.rule)
    AND a.layer_id IN (SELECT l.id FROM gis.layer l WHERE gis.is_public(l.id));

-- A finding is published: an alert that everybody sees rests on its records. Findings that nobody approved are
-- the desk's, as their alerts are. `key` is that of the alert, or a commune of a cluster that tells of the
-- same; NULL: of any.
CREATE OR REPLACE FUNCTION gis.is_published_finding(layer_id text, rule text, stream text, key text,
                                                    records bigint[]) RETURNS boolean
LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM gis.alert a
    WHERE a.layer_id = $1 AND a.stream = $3
      AND (a.rule = $2 AND ($4 IS NULL OR a.key = $4) OR a.rule = 'scan' AND $4 = ANY(a.communes))
      AND a.records && $5 AND a.id IN (SELECT p.id FROM gis.published_alert p))
$$;

CREATE OR REPLACE VIEW layer.clusters_desk WITH (security_barrier = true) AS
  SELECT c.id, c.geom, r.layer_id AS of_layer, c.stream, c.tier, c.observed, c.expected, c.days,
         c.radius_m, c.llr, c.p, c.recurrence_days, array_to_string(c.communes, ' ') AS communes,
         c.explanation_vi, c.explanation_en, c.since, c.until, r.official, r.simulated, r.method,
         r.run_at, r.input_until AS valid_at, r.id AS run, r.valid_from, r.valid_to
  FROM gis.scan_cluster c JOIN gis.run_in_force r ON r.id = c.run_id
  WHERE c.tier IS NOT NULL AND gis.is_public(r.layer_id);

CREATE OR REPLACE VIEW layer.clusters WITH (security_barrier = true) AS
  SELECT d.* FROM layer.clusters_desk d JOIN gis.scan_cluster c ON c.id = d.id
  WHERE gis.is_published_finding(d.of_layer,
                                 CASE d.method WHEN 'joint_scan' THEN 'joint' ELSE 'scan' END,
                                 d.stream, NULL, c.records);

-- Communes have the shape that they had on the day of the run; the province has none: it would lie
-- over all of them.
CREATE OR REPLACE VIEW layer.series_desk WITH (security_barrier = true) AS
  SELECT s.id, u.geom, r.layer_id AS of_layer, s.stream, s.commune,
         coalesce(u.full_name, s.commune) AS name, s.tier, s.observed, s.expected, s.bound, s.days,
         s.p, s.recurrence_days, s.explanation_vi, s.explanation_en, s.since, s.until, r.official,
         r.simulated, r.parameters -> 'series' ->> 'detector' AS detector, r.run_at,
         r.input_until AS valid_at, r.id AS run, r.valid_from, r.valid_to
  FROM gis.series_result s JOIN gis.run_in_force r ON r.id = s.run_id
  LEFT JOIN gis.admin_unit u ON u.level = 'commune' AND u.code = s.commune AND u.geom IS NOT NULL
    AND (u.valid_from IS NULL OR u.valid_from <= r.valid_from)
    AND (u.valid_to IS NULL OR r.valid_from < u.valid_to)
  WHERE gis.is_public(r.layer_id);

-- What is as usual is no finding, and everybody sees it; but the province's words tell of a commune that is
-- one, and are seen with that.
CREATE OR REPLACE VIEW layer.series WITH (security_barrier = true) AS
  SELECT d.* FROM layer.series_desk d JOIN gis.series_result s ON s.id = d.id
  WHERE (d.tier IS NULL
         OR gis.is_published_finding(d.of_layer, 'series', d.stream, coalesce(d.commune, 'province'),
                                     s.records))
    AND (d.commune IS NOT NULL OR NOT EXISTS (
      SELECT FROM gis.series_result c
      WHERE c.run_id = s.run_id AND c.stream = s.stream AND c.commune IS NOT NULL
        AND c.tier IS NOT NULL
        AND NOT gis.is_published_finding(d.of_layer, 'series', c.stream, c.commune, c.records)));

CREATE OR REPLACE VIEW layer.emerging WITH (security_barrier = true) AS
  SELECT e.id, e.geom, gis.h3_text(e.cell) AS cell, r.layer_id AS of_layer, e.commune, e.category,
         e.count, e.steps, e.hot_steps, e.cold_steps, e.last_run, e.z, e.trend_p, e.trend,
         e.explanation_vi, e.explanation_en, r.official, r.simulated, r.run_at,
         r.input_until AS valid_at, r.id AS run, r.valid_from, r.valid_to
  FROM gis.emerging e JOIN gis.run_in_force r ON r.id = e.run_id
  WHERE gis.is_public(r.layer_id);

CREATE OR REPLACE VIEW layer.alerts WITH (security_barrier = true) AS
  SELECT a.id, a.geom, a.layer_id AS of_layer, a.rule, a.status, a.severity, a.headline_vi,
         a.headline_en, array_to_string(a.communes, ' ') AS communes, a.official, a.simulated,
         a.opened_at AS valid_at, a.updated_at, a.acknowledged_at, a.resolved_at,
         a.detail_vi, a.detail_en, a.observed, a.expected, a.p, a.recurrence_days, a.since,
         a.until, a.outcome
  FROM gis.alert a WHERE a.id IN (SELECT p.id FROM gis.published_alert p);

-- For who is on duty; not what is internal, which a department's key would see here too.
CREATE OR REPLACE VIEW layer.alerts_desk WITH (security_barrier = true) AS
  SELECT a.id, a.geom, a.layer_id AS of_layer, a.rule, a.status, a.severity, a.headline_vi,
         a.headline_en, array_to_string(a.communes, ' ') AS communes, a.official, a.simulated,
         gis.is_approved(a.id) AS approved, a.within_id AS within,
         a.opened_at AS valid_at, a.updated_at, a.acknowledged_at, a.resolved_at,
         a.detail_vi, a.detail_en, a.observed, a.expected, a.p, a.recurrence_days, a.since,
         a.until, a.outcome
  FROM gis.alert a
  WHERE NOT gis.is_internal(a.rule)
    AND a.layer_id IN (SELECT l.id FROM gis.layer l WHERE gis.is_public(l.id));
