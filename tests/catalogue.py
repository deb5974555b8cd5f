"""The catalogue of a database in comparable form: what each object is, whatever its number."""

from sqlalchemy import Connection, text

_SCHEMAS = "('gis', 'layer', 'private')"
_OURS = f"SELECT oid FROM pg_namespace WHERE nspname IN {_SCHEMAS}"

CATALOGUE = {
    "relations": f"""
        SELECT oid::regclass::text, relkind, relpersistence, reloptions FROM pg_class
        WHERE relnamespace IN ({_OURS}) AND relkind <> 'c'""",
    "columns": f"""
        SELECT c.oid::regclass::text, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum),
               a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
               a.attgenerated, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace IN ({_OURS}) AND NOT a.attisdropped AND c.relkind <> 'i'""",
    "constraints": f"""
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated
        FROM pg_constraint WHERE connamespace IN ({_OURS}) AND contype NOT IN ('t', 'n')""",
    "indexes": f"SELECT indexdef FROM pg_indexes WHERE schemaname IN {_SCHEMAS}",
    "views": f"""
        SELECT schemaname, viewname, definition FROM pg_views WHERE schemaname IN {_SCHEMAS}""",
    "triggers": f"""
        SELECT t.tgrelid::regclass::text, pg_get_triggerdef(t.oid), t.tgenabled
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace IN ({_OURS}) AND NOT t.tgisinternal""",
    "functions": f"""
        SELECT oid::regprocedure::text, pg_get_functiondef(oid)
        FROM pg_proc WHERE pronamespace IN ({_OURS})""",
    "owners and rights": f"""
        SELECT oid::regclass::text, relowner::regrole::text, relacl::text FROM pg_class
        WHERE relnamespace IN ({_OURS}) AND relkind IN ('r', 'v', 'S')
        UNION ALL SELECT oid::regprocedure::text, proowner::regrole::text, proacl::text FROM pg_proc
        WHERE pronamespace IN ({_OURS})
        UNION ALL SELECT nspname, nspowner::regrole::text, nspacl::text FROM pg_namespace
        WHERE nspname IN {_SCHEMAS}""",
    "comments": f"""
        SELECT nspname, obj_description(oid, 'pg_namespace') FROM pg_namespace
        WHERE nspname IN {_SCHEMAS}""",
}


def catalogue(connection: Connection) -> dict[str, list[str]]:
    """Every object of our schemas by kind, each as one line, in order."""
    return {
        kind: sorted(str(tuple(row)) for row in connection.execute(text(statement)))
        for kind, statement in CATALOGUE.items()
    }
