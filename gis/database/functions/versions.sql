-- Versions of layers: raised by triggers, inside the transaction that changes the rows.

-- Everybody may read a layer. Findings in any other layer are in no public layer: hotspots, clusters,
-- emerging hexes and alerts show those of public layers alone.
CREATE OR REPLACE FUNCTION gis.is_public(layer_id text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce((SELECT l.definition -> 'access' ->> 'read' = 'public'
                    FROM gis.layer l WHERE l.id = is_public.layer_id), false) $$;

-- An alert has an approval in force: by a person, or by the service where the setting says so.
CREATE OR REPLACE FUNCTION gis.is_approved(alert_id bigint) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT EXISTS (SELECT FROM gis.approval p
                  WHERE p.alert_id = is_approved.alert_id AND p.withdrawn_at IS NULL) $$;

-- Rows of the layer of the trigger's argument have changed.
CREATE OR REPLACE FUNCTION gis.raise_layer_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE gis.layer SET version = version + 1, changed_at = now() WHERE id = TG_ARGV[0];
  RETURN NULL;
END $$;

-- What everybody sees of alerts, and of the findings on which they rest, has changed.
CREATE OR REPLACE FUNCTION gis.raise_published() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE gis.layer SET version = version + 1, changed_at = now()
    WHERE id IN ('alerts', 'clusters', 'series');
  RETURN NULL;
END $$;

-- The layers that show what was found in others.
CREATE OR REPLACE FUNCTION gis.result_layers() RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT '{hotspots,clusters,clusters_desk,emerging,series,series_desk,local_moran,alerts,alerts_desk}'::text[] $$;

-- The layers of results change when a layer is closed or opened.
CREATE OR REPLACE FUNCTION gis.raise_results() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE gis.layer SET version = version + 1, changed_at = now(),
      archives_from = CASE WHEN gis.is_public(new.id) THEN archives_from ELSE version + 1 END
    WHERE id = ANY(gis.result_layers());
  RETURN NULL;
END $$;

-- Versions are public: they rise when something changes that all may see, and so tell nobody when
-- something happened in another layer. A run raises the version of the layer of its results, also
-- when it found nothing, since the run before is no more the newest.
CREATE OR REPLACE FUNCTION gis.raise_results_of_run() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  run gis.hotspot_run := coalesce(new, old);
  shown text := CASE run.method WHEN 'gi_star' THEN 'hotspots' WHEN 'stp_scan' THEN 'clusters'
                                WHEN 'joint_scan' THEN 'clusters' ELSE run.method END;
BEGIN
  IF gis.is_public(run.layer_id) THEN
    UPDATE gis.layer SET version = version + 1, changed_at = now()
      WHERE id IN (shown, shown || '_desk');
  END IF;
  RETURN NULL;
END $$;

-- The days on which the calendar alone changes the rows of a view, in order, after '-infinity'.
-- NULL for a view that is not known here: it may show other rows each day.
CREATE OR REPLACE FUNCTION gis.calendar_of(view_id text) RETURNS date[] LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN view_id = 'communes' THEN ARRAY(
      SELECT '-infinity'::date
      UNION SELECT unnest(ARRAY[valid_from, valid_to]) FROM gis.admin_unit
        WHERE level = 'commune' AND geom IS NOT NULL
      EXCEPT SELECT NULL
      ORDER BY 1)
    WHEN view_id = ANY(gis.result_layers() || '{admin_changes,admin_units,sources}') THEN '{-infinity}'
  END
$$;

-- Changes of units raise the version of the communes, and so come by here.
CREATE OR REPLACE FUNCTION gis.set_calendar() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  new.calendar := gis.calendar_of(new.id);
  RETURN new;
END $$;
CREATE OR REPLACE TRIGGER calendar BEFORE INSERT OR UPDATE ON gis.layer FOR EACH ROW
  WHEN (new.definition #>> '{source,connector}' = 'view') EXECUTE FUNCTION gis.set_calendar();
UPDATE gis.layer SET calendar = gis.calendar_of(id)
  WHERE is_view AND calendar IS DISTINCT FROM gis.calendar_of(id);

-- State of each layer, which caches and ETags go by. `day` is the day on which the calendar alone last
-- changed the rows of a view, '-infinity' where it never did. Each request for a tile reads this, so
-- it is one expression without a look at another table.
CREATE OR REPLACE VIEW gis.layer_state AS
SELECT id, published, version,
  CASE
    WHEN NOT is_view THEN '-infinity'::date
    WHEN calendar IS NULL THEN gis.today()
    ELSE calendar[width_bucket(gis.today(), calendar)]
  END AS day, changed_at, digest, archives_from
FROM gis.layer;

CREATE OR REPLACE TRIGGER results_of_access AFTER UPDATE OF definition ON gis.layer FOR EACH ROW
  WHEN (old.definition -> 'access' IS DISTINCT FROM new.definition -> 'access')
  EXECUTE FUNCTION gis.raise_results();

CREATE OR REPLACE TRIGGER version AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gis.admin_unit
  FOR EACH STATEMENT EXECUTE FUNCTION gis.raise_layer_version('communes');
CREATE OR REPLACE TRIGGER version_of_units
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gis.admin_unit
  FOR EACH STATEMENT EXECUTE FUNCTION gis.raise_layer_version('admin_units');
CREATE OR REPLACE TRIGGER version_of_changes
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON gis.admin_change
  FOR EACH STATEMENT EXECUTE FUNCTION gis.raise_layer_version('admin_changes');

CREATE OR REPLACE TRIGGER version AFTER INSERT OR DELETE ON gis.hotspot_run
  FOR EACH ROW EXECUTE FUNCTION gis.raise_results_of_run();
-- The versions of `alerts`, `clusters` and `series` rise with what all may see, that of the desk's layer with all alerts of public
-- layers.
CREATE OR REPLACE TRIGGER version_of_new AFTER INSERT OR UPDATE ON gis.alert FOR EACH ROW
  WHEN (gis.is_public(new.layer_id) AND gis.is_approved(new.id))
  EXECUTE FUNCTION gis.raise_published();
CREATE OR REPLACE TRIGGER version_of_gone AFTER DELETE ON gis.alert FOR EACH ROW
  WHEN (gis.is_public(old.layer_id) AND gis.is_approved(old.id))
  EXECUTE FUNCTION gis.raise_published();
CREATE OR REPLACE TRIGGER version_of_approval AFTER INSERT OR UPDATE OR DELETE ON gis.approval
  FOR EACH ROW EXECUTE FUNCTION gis.raise_published();
CREATE OR REPLACE TRIGGER desk_version_of_approval AFTER INSERT OR UPDATE OR DELETE ON gis.approval
  FOR EACH ROW EXECUTE FUNCTION gis.raise_layer_version('alerts_desk');
CREATE OR REPLACE TRIGGER desk_version_of_new AFTER INSERT OR UPDATE ON gis.alert FOR EACH ROW
  WHEN (gis.is_public(new.layer_id)) EXECUTE FUNCTION gis.raise_layer_version('alerts_desk');
CREATE OR REPLACE TRIGGER desk_version_of_gone AFTER DELETE ON gis.alert FOR EACH ROW
  WHEN (gis.is_public(old.layer_id)) EXECUTE FUNCTION gis.raise_layer_version('alerts_desk');

-- Statement triggers <prefix>_insert, _update, _delete and _truncate on the table of a layer, with the
-- changed rows as new_rows and old_rows. The arguments of the function are the layer and those that are
-- given, but for null ones.
CREATE OR REPLACE FUNCTION gis.attach_triggers(
  layer_id text, prefix text, function regproc, VARIADIC arguments text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  event record;
BEGIN
  FOR event IN SELECT * FROM (VALUES
      ('INSERT', 'REFERENCING NEW TABLE AS new_rows'),
      ('UPDATE', 'REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows'),
      ('DELETE', 'REFERENCING OLD TABLE AS old_rows'),
      ('TRUNCATE', '')) AS events (name, tables)
  LOOP
    EXECUTE format(
      'CREATE OR REPLACE TRIGGER %I AFTER %s ON layer.%I %s FOR EACH STATEMENT EXECUTE FUNCTION %s(%s)',
      prefix || '_' || lower(event.name), event.name, layer_id, event.tables, function,
      (SELECT string_agg(quote_literal(argument), ', ' ORDER BY place)
       FROM unnest(layer_id || arguments) WITH ORDINALITY AS given (argument, place)));
  END LOOP;
END $$;
