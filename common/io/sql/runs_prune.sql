SELECT batch_partition_drop(run_no)
FROM (SELECT run_no, state, row_number() OVER (PARTITION BY state = 'activated' ORDER BY run_no DESC) AS place
      FROM runs WHERE state <> 'running') old
WHERE (state <> 'activated' OR place > $1::integer)
  AND to_regclass('batch_journal_run_' || run_no) IS NOT NULL
  AND run_no NOT IN (SELECT f.run_no FROM in_force f WHERE f.run_no IS NOT NULL)
