-- Drops the records of all but the $1 newest activated runs, and never those of a run that is, or may become, R of a segment:
-- the greatest (as_of, snapshot_at) of the version in force, which the reconciler may not have seen yet, and of later ones.
SELECT batch_partition_drop(run_no)
FROM (SELECT run_no, state, row_number() OVER (PARTITION BY state = 'activated' ORDER BY run_no DESC) AS place
      FROM runs WHERE state <> 'running') old
WHERE (state <> 'activated' OR place > $1::integer)
  AND to_regclass('batch_journal_run_' || run_no) IS NOT NULL
  AND run_no NOT IN (SELECT f.run_no FROM in_force f WHERE f.run_no IS NOT NULL)
  AND run_no NOT IN (SELECT c.run_no
                     FROM (SELECT DISTINCT ON (s.segment_no, s.version) s.segment_no, s.version, r.run_no
                           FROM run_segments s JOIN runs r USING (run_no)
                           WHERE r.state = 'activated' AND NOT r.backfill AND s.state = 'done'
                           ORDER BY s.segment_no, s.version, r.as_of DESC, r.snapshot_at DESC, r.run_no DESC) c
                     LEFT JOIN in_force f USING (segment_no)
                     WHERE f.version IS NULL OR c.version >= f.version)
