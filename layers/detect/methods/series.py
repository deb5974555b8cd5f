"""The alarm by commune: a detector a stream and commune, and one a stream of the whole province."""

from sqlalchemy import Connection

from layers.definition.model import LocalizedText, SeriesDetector, SeriesOptions
from layers.detect.alarm import AlarmMethod
from layers.detect.commune_series import StreamSeries, days_read, series_input, series_of
from layers.detect.findings_series import RULE, SeriesFindings
from layers.detect.method import Rows, RunContext, RunReport, by_name
from layers.detect.observations import day_number, for_communes, minute_of_day
from layers.detect.store import StoredRun, add_rows, add_run, store_input


class Series(AlarmMethod[SeriesOptions]):
    """Communes, or the whole province, with more records than usual."""

    name = "series"
    label = LocalizedText(vi="chuỗi theo xã", en="series")
    options = SeriesDetector
    results = "series_result"
    result_layer = "series"
    rule = RULE
    follows = "stp_scan"  # whose alerts inhibit those of the series
    compared = ("stream", "commune", "days", "observed", "expected", "p", "records")

    def run(self, context: RunContext, options: SeriesOptions) -> RunReport:
        last_day, minute = day_number(context.until), minute_of_day(context.until)
        days = days_read(options, last_day)
        records = for_communes(context.whole_days(days))
        frame = series_input(records)
        communes = len(context.territory.table.codes)
        streams = list(series_of(frame, options, last_day, communes, minute=minute))
        changes = self.changes(context, frame, days)
        run = context.new_run(self.name, records, frame)
        run_id = add_run(context.connection, run, store_input(context.connection, frame))
        names = [each.stream for each in streams]
        scan_findings = self.scan_findings(context, records, names, changes)
        findings = SeriesFindings(scan_findings, options)
        rated = [one for each in streams for one in findings.rate(each)]
        add_rows(context.connection, self.results, run_id, [findings.row(one) for one in rated])
        streams += [StreamSeries(name, communes + 1, ()) for name in changes.ended]
        late = self.late_findings(context, scan_findings, records, run_id)
        situation = self.situation_findings(context, scan_findings, records, run_id)
        series = [findings.findings(each, run_id) for each in streams]
        alerts = self.apply(context, [*situation, *series, *late])
        found = sum(one.tier is not None for one in rated)
        return context.report(run, run_id, records, found, alerts)

    def repeat(
        self, connection: Connection, run: StoredRun, options: SeriesOptions
    ) -> tuple[Rows, list[str]]:
        # What is compared depends on the records alone, not on how many communes there are.
        last_day, minute = day_number(run.until), minute_of_day(run.until)
        streams = series_of(run.input, options, last_day, communes=0, minute=minute)
        return by_name([one for each in streams for one in each.judged], self.compared), []
