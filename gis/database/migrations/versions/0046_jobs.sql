-- Numbers of workers, and of claims: each claim of a job has a number that no other ever has.
CREATE SEQUENCE gis.job_number;

CREATE TABLE gis.job (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL,
  arguments jsonb NOT NULL DEFAULT '{}',
  key text,
  priority int NOT NULL DEFAULT 0,
  not_before timestamptz NOT NULL DEFAULT now(),
  state text NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  attempts int NOT NULL DEFAULT 0,
  most_attempts int NOT NULL DEFAULT 1 CHECK (most_attempts > 0),
  owner bigint,
  token bigint,
  progress real CHECK (progress BETWEEN 0 AND 1),
  message text NOT NULL DEFAULT '',
  error text NOT NULL DEFAULT '',
  requested_by text NOT NULL DEFAULT 'service',
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  ended_at timestamptz,
  CHECK ((state = 'running') = (owner IS NOT NULL)),
  CHECK ((state IN ('queued', 'running')) = (ended_at IS NULL))
);
COMMENT ON COLUMN gis.job.key IS 'the same work is queued once: unique while queued or running';
COMMENT ON COLUMN gis.job.priority IS 'greater goes first';
COMMENT ON COLUMN gis.job.owner IS 'the worker that runs it, alive as long as it holds its advisory lock';
COMMENT ON COLUMN gis.job.token IS 'of the latest claim: results of an earlier one are refused';
CREATE UNIQUE INDEX job_key ON gis.job (key) WHERE state IN ('queued', 'running');
CREATE INDEX job_of_key ON gis.job (key, id);
CREATE INDEX job_waiting ON gis.job (priority DESC, id) WHERE state = 'queued';
CREATE INDEX job_running ON gis.job (owner) WHERE state = 'running';
CREATE INDEX job_ended ON gis.job (ended_at) WHERE ended_at IS NOT NULL;

-- Work on a layer that failed when it was last tried.
CREATE TABLE gis.failing_work (
  layer_id text,
  work text,
  since timestamptz NOT NULL,
  last timestamptz NOT NULL,
  times int NOT NULL,
  pause interval NOT NULL,
  PRIMARY KEY (layer_id, work)
);
COMMENT ON COLUMN gis.failing_work.work IS 'a method of runs, nulls or layer_file';
COMMENT ON COLUMN gis.failing_work.times IS 'failures in a row';
COMMENT ON COLUMN gis.failing_work.pause IS 'after the last failure, before it is tried again';

GRANT USAGE ON SEQUENCE gis.job_number TO gis_writer;
