-- What each role may do: run by migrate after every migration, so it begins by taking everything away. Pipelines write their
-- records and progress; effective membership, history, consent and the control log are written by functions alone; the journals
-- are read through views alone.
REVOKE ALL ON SCHEMA muster FROM PUBLIC, muster_batch, muster_stream, muster_reconcile, muster_operator;
REVOKE ALL ON ALL TABLES IN SCHEMA muster FROM PUBLIC, muster_batch, muster_stream, muster_reconcile, muster_operator;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA muster FROM PUBLIC, muster_batch, muster_stream, muster_reconcile, muster_operator;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA muster FROM PUBLIC, muster_batch, muster_stream, muster_reconcile, muster_operator;
GRANT USAGE ON SCHEMA muster TO muster_batch, muster_stream, muster_reconcile, muster_operator;

-- Read by all.
GRANT SELECT ON migrations, settings, users, user_ids, segments, purposes, definitions, definition_references, control_head, control,
    loads, archive_progress, runs, run_coverage, run_loads, run_steps, run_segments, lanes, lane_progress, lane_loads, builds,
    build_lanes, consent, in_force, reconcile_state, reconcile_lanes
    TO muster_batch, muster_stream, muster_reconcile, muster_operator;
GRANT SELECT ON stream_records, batch_records, members TO muster_batch, muster_stream, muster_reconcile, muster_operator;
GRANT EXECUTE ON FUNCTION users_intern(text[], integer[]),
    control_append(text, integer, integer, integer, bigint, integer, integer, bigint, text),
    consent_apply(bigint[], text[], boolean[], bigint[], bigint[], text), consent_delete(bigint, bigint, bigint, text)
    TO muster_batch, muster_stream, muster_operator;
GRANT EXECUTE ON FUNCTION control_append(text, integer, integer, integer, bigint, integer, integer, bigint, text) TO muster_reconcile;

-- muster-batch
GRANT SELECT, INSERT ON archive, quarantine TO muster_batch;
GRANT INSERT, UPDATE ON loads, archive_progress, runs TO muster_batch;
GRANT INSERT, UPDATE, DELETE ON run_coverage, run_loads, run_steps, run_segments TO muster_batch;
GRANT INSERT ON batch_journal TO muster_batch;
GRANT EXECUTE ON FUNCTION batch_partition_create(bigint), batch_partition_drop(bigint), batch_lane_clear(bigint, integer, integer)
    TO muster_batch;

-- muster-stream
GRANT SELECT ON archive TO muster_stream;
GRANT SELECT, INSERT ON quarantine TO muster_stream;
GRANT INSERT ON journal TO muster_stream;
GRANT UPDATE ON lanes TO muster_stream;
GRANT INSERT, UPDATE ON lane_progress, builds, build_lanes TO muster_stream;
GRANT INSERT ON lane_loads TO muster_stream;

-- muster-reconcile
GRANT SELECT ON archive, quarantine, audience, history, blocks, consent_changes, dropped_records TO muster_reconcile;
GRANT INSERT, UPDATE, DELETE ON in_force, reconcile_lanes, reconcile_covered TO muster_reconcile;
GRANT SELECT ON reconcile_covered TO muster_reconcile;
GRANT UPDATE ON reconcile_state TO muster_reconcile;
GRANT SELECT, UPDATE ON publication TO muster_reconcile;
GRANT SELECT, DELETE ON removals TO muster_reconcile;
GRANT SELECT, INSERT ON divergence TO muster_reconcile;
GRANT SELECT, INSERT, UPDATE ON alerts TO muster_reconcile;
GRANT EXECUTE ON FUNCTION audience_apply(audience_row[], history_row[]), history_boundary(), history_canonical(history),
    block_append(bigint, bigint, bigint, bytea, bytea), records_sweep()
    TO muster_reconcile;

-- muster, the operator's tool
GRANT SELECT ON archive, quarantine, audience, history, blocks, consent_changes, dropped_records, reconcile_covered, publication,
    removals, divergence, alerts
    TO muster_operator;
GRANT DELETE ON removals TO muster_operator;
GRANT INSERT ON segments, definitions, definition_references TO muster_operator;
GRANT UPDATE (retired_at) ON definitions TO muster_operator;
GRANT EXECUTE ON FUNCTION purpose_ensure(text, text), history_canonical(history) TO muster_operator;

-- The partitions, which a COPY may name.
DO $$
DECLARE
    part record;
BEGIN
    FOR part IN
        SELECT c.oid::regclass AS name, p.relname AS parent
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        WHERE p.oid IN ('muster.journal'::regclass, 'muster.batch_journal'::regclass) AND c.relkind = 'r'
    LOOP
        EXECUTE format('GRANT INSERT ON %s TO %I', part.name,
                       CASE part.parent WHEN 'journal' THEN 'muster_stream' ELSE 'muster_batch' END);
    END LOOP;
END $$;
