-- The audience store: functions, triggers and views that keep its promises whatever a program does.
--
-- Every function runs as the owner with search_path = muster, pg_temp: a caller's temporary table of the same name is never
-- looked at. Advisory locks: class 1836413812 ("must"); 1 history, 2 users and purposes, 3 migrations, 4 reconciler pass, 5 batch
-- run. Errors with SQLSTATE MU002 are the caller's configuration or use, MU004 its data.
SET search_path = muster, pg_temp;

-- ---- control log -------------------------------------------------------------------------------------------------

-- The head's row lock is held until COMMIT, so the number's order is the order of commit: call it last.
CREATE FUNCTION control_write(p_kind text, p_segment_no integer, p_version integer, p_user_no bigint, p_purpose_no smallint,
                              p_grant_no bigint, p_load_no integer, p_run_no bigint, p_build_no integer, p_lane integer, p_at bigint,
                              p_detail text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
DECLARE
    v_control_no bigint;
BEGIN
    UPDATE control_head SET control_no = control_no + 1 RETURNING control_no INTO STRICT v_control_no;
    INSERT INTO control (control_no, kind, segment_no, version, user_no, purpose_no, grant_no, load_no, run_no, build_no, lane, at,
                         detail)
    VALUES (v_control_no, p_kind, p_segment_no, p_version, p_user_no, p_purpose_no, p_grant_no, p_load_no, p_run_no, p_build_no, p_lane,
            p_at, coalesce(p_detail, ''));
    PERFORM pg_notify('muster_control', '');
    RETURN v_control_no;
END $$;

-- Many lines at once, in the order given (their control_no and recorded_at are filled), with one update of the head; a granted
-- line's number goes to its consent row.
CREATE FUNCTION control_write_all(p_lines control[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
DECLARE
    v_before bigint;
BEGIN
    IF coalesce(cardinality(p_lines), 0) = 0 THEN
        RETURN;
    END IF;
    UPDATE control_head SET control_no = control_no + cardinality(p_lines)
    RETURNING control_no - cardinality(p_lines) INTO STRICT v_before;
    INSERT INTO control (control_no, kind, user_no, purpose_no, grant_no, lane, at, detail)
    SELECT v_before + l.ordinality, l.kind, l.user_no, l.purpose_no, l.grant_no, l.lane, l.at, coalesce(l.detail, '')
    FROM unnest(p_lines) WITH ORDINALITY l;
    UPDATE consent c SET grant_control_no = v_before + l.ordinality
    FROM unnest(p_lines) WITH ORDINALITY l
    WHERE l.kind = 'consent_granted' AND c.user_no = l.user_no AND c.purpose_no = l.purpose_no AND c.grant_no = l.grant_no;
    PERFORM pg_notify('muster_control', '');
END $$;

-- What programs call: SELECT control_append('run_activated', p_run_no => 7). Consent lines come from consent_apply alone.
CREATE FUNCTION control_append(p_kind text, p_segment_no integer DEFAULT NULL, p_version integer DEFAULT NULL,
                               p_load_no integer DEFAULT NULL, p_run_no bigint DEFAULT NULL, p_build_no integer DEFAULT NULL,
                               p_lane integer DEFAULT NULL, p_at bigint DEFAULT NULL, p_detail text DEFAULT '')
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
BEGIN
    IF p_kind IN ('consent_granted', 'consent_withdrawn', 'erasure_requested') THEN
        RAISE EXCEPTION 'control line % is written by the consent functions only', p_kind USING ERRCODE = 'MU002';
    END IF;
    RETURN control_write(p_kind, p_segment_no, p_version, NULL, NULL, NULL, p_load_no, p_run_no, p_build_no, p_lane, p_at, p_detail);
END $$;

-- ---- users -------------------------------------------------------------------------------------------------------

-- One row per element of p_ids, in its order. Unknown identifiers become users; those get an explicit consent row for every
-- purpose that is allowed by default, since a missing row cannot be locked. The shared lock keeps purpose_ensure from adding such
-- a purpose between the two. Call it under READ COMMITTED.
CREATE FUNCTION users_intern(p_ids text[], p_lanes integer[])
RETURNS TABLE (user_id text, user_no bigint) LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1836413812, 2);
    WITH missing AS (
        SELECT DISTINCT ON (i.id COLLATE "C") i.id, i.lane
        FROM unnest(p_ids, p_lanes) AS i (id, lane)
        WHERE NOT EXISTS (SELECT FROM user_ids k WHERE k.user_id = i.id)
        ORDER BY i.id COLLATE "C"
    ), named AS (
        INSERT INTO user_ids (user_id, user_no)
        SELECT id, nextval(pg_get_serial_sequence('muster.users', 'user_no')) FROM missing ORDER BY id COLLATE "C"
        ON CONFLICT DO NOTHING
        RETURNING user_ids.user_id, user_ids.user_no
    ), made AS (
        INSERT INTO users (user_no, lane) OVERRIDING SYSTEM VALUE
        SELECT named.user_no, missing.lane FROM named JOIN missing ON missing.id = named.user_id
        RETURNING users.user_no
    )
    INSERT INTO consent (user_no, purpose_no, granted, grant_no, changed_at)
    SELECT made.user_no, p.purpose_no, true, nextval('grant_numbers'), (-9223372036854775808)::bigint
    FROM made CROSS JOIN purposes p WHERE p.allowed_default;
    RETURN QUERY
        SELECT i.id, k.user_no
        FROM unnest(p_ids) WITH ORDINALITY AS i (id, place) JOIN user_ids k ON k.user_id = i.id
        ORDER BY i.place;
END $$;

-- ---- purposes and consent ----------------------------------------------------------------------------------------

-- The number of a purpose for a lawful basis; NULL where the basis needs none. Makes it on first use.
CREATE FUNCTION purpose_ensure(p_purpose text, p_basis text)
RETURNS smallint LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
DECLARE
    v_objection boolean := p_basis = 'legitimate_interest';
    v_allowed boolean;
    v_purpose_no smallint;
BEGIN
    IF p_basis IN ('contract', 'legal_obligation') THEN
        RETURN NULL;
    ELSIF p_basis NOT IN ('consent', 'legitimate_interest') THEN
        RAISE EXCEPTION 'unknown lawful basis "%"', p_basis USING ERRCODE = 'MU004';
    END IF;
    SELECT purpose_no INTO v_purpose_no FROM purposes WHERE purpose = p_purpose AND objection = v_objection;
    IF FOUND THEN
        RETURN v_purpose_no;
    END IF;
    v_allowed := v_objection OR EXISTS (SELECT FROM settings WHERE name = 'consent.' || p_purpose AND value = 'opt_out');
    IF v_allowed THEN
        PERFORM pg_advisory_xact_lock(1836413812, 2);
    END IF;
    INSERT INTO purposes (purpose, objection, allowed_default) VALUES (p_purpose, v_objection, v_allowed)
    ON CONFLICT DO NOTHING RETURNING purpose_no INTO v_purpose_no;
    IF v_purpose_no IS NULL THEN
        SELECT purpose_no INTO STRICT v_purpose_no FROM purposes WHERE purpose = p_purpose AND objection = v_objection;
        RETURN v_purpose_no;
    END IF;
    IF v_allowed THEN
        -- Whoever withdrew the purpose before, or is deleted, begins as not allowed.
        INSERT INTO consent (user_no, purpose_no, granted, grant_no, changed_at)
        SELECT u.user_no, v_purpose_no, u.deleted_at IS NULL AND coalesce(c.granted OR c.changed_at = -9223372036854775808, true),
               nextval('grant_numbers'), coalesce(greatest(c.changed_at, u.deleted_at), -9223372036854775808)
        FROM users u
        LEFT JOIN purposes b ON b.purpose = p_purpose AND NOT b.objection AND v_objection
        LEFT JOIN consent c ON c.user_no = u.user_no AND c.purpose_no = b.purpose_no;
    END IF;
    RETURN v_purpose_no;
END $$;

-- Ends what rests on the user's consent for one purpose. The caller holds the consent row.
CREATE FUNCTION consent_end(p_user_no bigint, p_purpose_no smallint, p_at bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
BEGIN
    WITH ended AS (
        INSERT INTO history (segment_no, user_no, change, member, valid_from, decision, version, build_no, run_no, lane, step, seq,
                             positions, purpose_no, grant_no)
        SELECT a.segment_no, a.user_no, 'exited', false, p_at, 'consent_withdrawn', a.version, a.build_no, a.run_no, a.lane, a.s_step,
               a.s_seq, a.s_positions, a.purpose_no, a.grant_no
        FROM audience a
        WHERE a.user_no = p_user_no AND a.purpose_no = p_purpose_no AND a.member
        ORDER BY a.segment_no
        RETURNING history_id, segment_no
    )
    UPDATE audience a
    SET member = false, entered_at = NULL, valid_until = NULL, decision = 'consent_withdrawn',
        valid_from = CASE WHEN e.history_id IS NULL THEN a.valid_from ELSE p_at END,
        history_id = coalesce(e.history_id, a.history_id),
        s_build_no = NULL, s_step = NULL, s_seq = NULL, s_member = NULL, s_entered_at = NULL, s_effective_at = NULL,
        s_valid_until = NULL, s_positions = NULL, s_certain = NULL, s_uncertain_until = NULL, s_grant_no = NULL, s_written_at = NULL,
        b_run_no = NULL, b_verdict = NULL, b_entered_at = NULL, b_valid_until = NULL, b_grant_no = NULL
    FROM audience x
    LEFT JOIN ended e ON e.segment_no = x.segment_no
    WHERE x.user_no = p_user_no AND a.segment_no = x.segment_no AND a.user_no = x.user_no
      AND (x.purpose_no = p_purpose_no
           OR EXISTS (SELECT FROM in_force f JOIN definitions d ON d.segment_no = f.segment_no AND d.version = f.version
                      WHERE f.segment_no = x.segment_no AND d.purpose_no = p_purpose_no));
    INSERT INTO removals (user_no) VALUES (p_user_no);
END $$;

-- Sets one (user, purpose) row, which the caller has locked and hands over, to `granted` as of p_at. Returns the control line to be
-- written where that changed what is allowed, else NULL.
CREATE FUNCTION consent_set(p_known consent, p_granted boolean, p_at bigint)
RETURNS control LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
DECLARE
    v_line control;
BEGIN
    IF p_at < p_known.changed_at OR (p_at = p_known.changed_at AND p_granted) THEN
        RETURN NULL; -- older than what is known; at a tie the withdrawal wins
    END IF;
    IF p_granted = p_known.granted THEN
        UPDATE consent SET changed_at = p_at
        WHERE user_no = p_known.user_no AND purpose_no = p_known.purpose_no AND changed_at < p_at;
        RETURN NULL;
    END IF;
    v_line.user_no := p_known.user_no;
    v_line.purpose_no := p_known.purpose_no;
    v_line.at := p_at;
    IF p_granted THEN
        v_line.kind := 'consent_granted';
        v_line.grant_no := nextval('grant_numbers');
        UPDATE consent SET granted = true, grant_no = v_line.grant_no, changed_at = p_at
        WHERE user_no = p_known.user_no AND purpose_no = p_known.purpose_no;
    ELSE
        v_line.kind := 'consent_withdrawn';
        v_line.grant_no := p_known.grant_no;
        UPDATE consent SET granted = false, changed_at = p_at
        WHERE user_no = p_known.user_no AND purpose_no = p_known.purpose_no;
        PERFORM consent_end(p_known.user_no, p_known.purpose_no, p_at);
    END IF;
    RETURN v_line;
END $$;

-- The instant a change dated p_changed_at counts from: never later than its receipt (p_received_at; without one the wall clock,
-- or with clock = event nothing). NULL: dated further ahead than the skew allows.
CREATE FUNCTION consent_instant(p_changed_at bigint, p_received_at bigint)
RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = muster, pg_temp AS $$
DECLARE
    v_received_at bigint := p_received_at;
BEGIN
    IF v_received_at IS NULL AND (SELECT value FROM settings WHERE name = 'time.clock') = 'wall' THEN
        v_received_at := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
    END IF;
    IF v_received_at IS NULL THEN
        RETURN p_changed_at;
    ELSIF p_changed_at > v_received_at + (SELECT value::bigint FROM settings WHERE name = 'time.future_skew') THEN
        RETURN NULL;
    END IF;
    RETURN least(p_changed_at, v_received_at);
END $$;

-- Makes the rows of these users and purposes and locks them, in one order for everybody.
CREATE FUNCTION consent_lock(p_users bigint[], p_purposes text[])
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
BEGIN
    INSERT INTO consent (user_no, purpose_no, granted, grant_no, changed_at)
    SELECT w.user_no, w.purpose_no, w.allowed_default, CASE WHEN w.allowed_default THEN nextval('grant_numbers') ELSE 0 END,
           (-9223372036854775808)::bigint
    FROM (SELECT DISTINCT i.user_no, p.purpose_no, p.allowed_default
          FROM unnest(p_users, p_purposes) AS i (user_no, purpose) JOIN purposes p ON p.purpose = i.purpose) w
    ORDER BY w.user_no, w.purpose_no
    ON CONFLICT DO NOTHING;
    PERFORM FROM consent c
    WHERE (c.user_no, c.purpose_no) IN (SELECT i.user_no, p.purpose_no
                                        FROM unnest(p_users, p_purposes) AS i (user_no, purpose)
                                        JOIN purposes p ON p.purpose = i.purpose)
    ORDER BY c.user_no, c.purpose_no FOR UPDATE;
END $$;

-- Applies changes of consent, in order of their own timestamps whatever the order of arrival. p_received_at: when each was
-- received (the log's own timestamp), NULL for now. Applying one twice changes nothing. Returns one outcome per change:
-- 'changed', 'unchanged', 'older' (than what is known: recorded only) or 'future' (dated too far ahead: recorded only).
CREATE FUNCTION consent_apply(p_users bigint[], p_purposes text[], p_granted boolean[], p_changed_at bigint[], p_received_at bigint[],
                              p_source text)
RETURNS text[] LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
DECLARE
    v_outcomes text[] := array_fill(''::text, ARRAY[cardinality(p_users)]);
    v_lines control[] := '{}';
    v_line control;
    v_known consent;
    v_at bigint;
    v_changed boolean;
    change record;
BEGIN
    PERFORM purpose_ensure(p.purpose, 'consent')
    FROM (SELECT DISTINCT i.purpose COLLATE "C" AS purpose FROM unnest(p_purposes) AS i (purpose) ORDER BY 1) p;
    PERFORM consent_lock(p_users, p_purposes);
    FOR change IN
        SELECT i.*, p.purpose_no, u.deleted_at
        FROM unnest(p_users, p_purposes, p_granted, p_changed_at, p_received_at)
             WITH ORDINALITY AS i (user_no, purpose, granted, changed_at, received_at, place)
        JOIN purposes p ON p.purpose = i.purpose AND NOT p.objection
        JOIN users u ON u.user_no = i.user_no
        ORDER BY i.user_no, i.place
    LOOP
        v_at := consent_instant(change.changed_at, change.received_at);
        SELECT * INTO STRICT v_known FROM consent c WHERE c.user_no = change.user_no AND c.purpose_no = change.purpose_no;
        v_changed := false;
        IF v_at IS NULL THEN
            v_outcomes[change.place] := 'future';
        ELSIF v_at < v_known.changed_at OR (v_at = v_known.changed_at AND change.granted AND NOT v_known.granted)
              OR (change.granted AND v_at <= change.deleted_at) THEN
            v_outcomes[change.place] := 'older';
        ELSE
            FOR v_known IN
                SELECT c.* FROM consent c JOIN purposes p USING (purpose_no)
                WHERE c.user_no = change.user_no AND p.purpose = change.purpose ORDER BY p.objection
            LOOP
                v_line := consent_set(v_known, change.granted, v_at);
                IF v_line.kind IS NOT NULL THEN
                    v_lines := v_lines || v_line;
                    v_changed := true;
                END IF;
            END LOOP;
            v_outcomes[change.place] := CASE WHEN v_changed THEN 'changed' ELSE 'unchanged' END;
        END IF;
        INSERT INTO consent_changes (user_no, purpose_no, granted, changed_at, effective, source)
        VALUES (change.user_no, change.purpose_no, change.granted, change.changed_at, v_changed, p_source)
        ON CONFLICT DO NOTHING;
    END LOOP;
    PERFORM control_write_all(v_lines);
    RETURN v_outcomes;
END $$;

-- A delete message: withdraws every purpose at once, also those that come later, and leaves a pending erasure in the control
-- log. 'changed', 'unchanged' (known already) or 'future'.
CREATE FUNCTION consent_delete(p_user_no bigint, p_at bigint, p_received_at bigint, p_source text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
DECLARE
    v_at bigint := consent_instant(p_at, p_received_at);
    v_purposes text[] := ARRAY(SELECT DISTINCT purpose FROM purposes);
    v_lines control[] := '{}';
    v_line control;
    v_known consent;
BEGIN
    IF v_at IS NULL THEN
        RETURN 'future';
    END IF;
    PERFORM consent_lock(array_fill(p_user_no, ARRAY[cardinality(v_purposes)]), v_purposes);
    PERFORM FROM users WHERE user_no = p_user_no FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM users WHERE user_no = p_user_no AND deleted_at >= v_at) THEN
        RETURN 'unchanged';
    END IF;
    UPDATE users SET deleted_at = v_at WHERE user_no = p_user_no;
    FOR v_known IN SELECT * FROM consent WHERE user_no = p_user_no ORDER BY purpose_no LOOP
        v_line := consent_set(v_known, false, v_at);
        IF v_line.kind IS NOT NULL THEN
            v_lines := v_lines || v_line;
        END IF;
        INSERT INTO consent_changes (user_no, purpose_no, granted, changed_at, effective, source)
        VALUES (p_user_no, v_known.purpose_no, false, p_at, v_line.kind IS NOT NULL, 'delete') ON CONFLICT DO NOTHING;
    END LOOP;
    v_line := NULL;
    v_line.kind := 'erasure_requested';
    v_line.user_no := p_user_no;
    v_line.lane := (SELECT lane FROM users WHERE user_no = p_user_no);
    v_line.at := v_at;
    v_line.detail := p_source;
    PERFORM control_write_all(v_lines || v_line);
    RETURN 'changed';
END $$;

-- ---- pipeline records: what is readable --------------------------------------------------------------------------

-- A record is readable while the grant it rests on is in force, in the reader's own snapshot. Its purpose must be the one its
-- definition names, so that leaving it out gains nothing.
CREATE VIEW stream_records WITH (security_barrier) AS
SELECT j.* FROM journal j
JOIN definitions d ON d.segment_no = j.segment_no AND d.version = j.version AND d.purpose_no IS NOT DISTINCT FROM j.purpose_no
LEFT JOIN consent c ON c.user_no = j.user_no AND c.purpose_no = j.purpose_no AND c.granted AND c.grant_no = j.grant_no
WHERE j.purpose_no IS NULL OR c.user_no IS NOT NULL;

CREATE VIEW batch_records WITH (security_barrier) AS
SELECT b.* FROM batch_journal b
JOIN runs r ON r.run_no = b.run_no AND r.state = 'activated'
JOIN definitions d ON d.segment_no = b.segment_no AND d.version = b.version AND d.purpose_no IS NOT DISTINCT FROM b.purpose_no
LEFT JOIN consent c ON c.user_no = b.user_no AND c.purpose_no = b.purpose_no AND c.granted AND c.grant_no = b.grant_no
WHERE b.purpose_no IS NULL OR c.user_no IS NOT NULL;

-- The audience now. A membership past its valid_until has ended, whether or not any pipeline runs: when the lane's watermark
-- has passed it, or a grace of wall clock later. With clock = event "now" is the watermark, without a stream the run's as_of.
CREATE VIEW members WITH (security_barrier) AS
SELECT a.segment_no, a.user_no, a.lane, a.entered_at, a.valid_until, a.valid_from, a.decision, a.version, a.build_no, a.run_no,
       a.purpose_no, a.grant_no, a.history_id
FROM audience a
LEFT JOIN lanes l ON l.lane = a.lane
LEFT JOIN runs r ON r.run_no = a.run_no
LEFT JOIN consent c ON c.user_no = a.user_no AND c.purpose_no = a.purpose_no AND c.granted AND c.grant_no = a.grant_no
WHERE a.member
  AND (a.valid_until IS NULL
       OR (a.valid_until > coalesce(l.watermark,
                                    CASE WHEN (SELECT value FROM settings WHERE name = 'time.clock') = 'event' THEN r.as_of END,
                                    -9223372036854775808)
           AND ((SELECT value FROM settings WHERE name = 'time.clock') = 'event'
                OR a.valid_until + (SELECT value::bigint FROM settings WHERE name = 'reconcile.grace')
                   > (extract(epoch FROM statement_timestamp()) * 1000)::bigint)))
  AND (a.purpose_no IS NULL OR c.user_no IS NOT NULL);

-- A bulk write drops the rows whose grant it can see has ended and counts them; it never fails for it. Rows of transactions that
-- a withdrawal overtakes stay until the sweep, unreadable.
CREATE FUNCTION journal_drop_ended()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows n
                   WHERE n.purpose_no IS NOT NULL
                     AND NOT EXISTS (SELECT FROM consent c WHERE c.user_no = n.user_no AND c.purpose_no = n.purpose_no
                                                             AND c.granted AND c.grant_no = n.grant_no)) THEN
        RETURN NULL;
    END IF;
    DELETE FROM journal j
    WHERE j.lane = ANY (ARRAY(SELECT DISTINCT lane FROM new_rows))
      AND j.step >= (SELECT min(step) FROM new_rows)
      AND (j.lane, j.step, j.seq) IN (SELECT n.lane, n.step, n.seq FROM new_rows n)
      AND j.purpose_no IS NOT NULL
      AND NOT EXISTS (SELECT FROM consent c WHERE c.user_no = j.user_no AND c.purpose_no = j.purpose_no
                                              AND c.granted AND c.grant_no = j.grant_no);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    INSERT INTO dropped_records (source, row_count) VALUES ('journal', v_count);
    RETURN NULL;
END $$;

CREATE FUNCTION batch_journal_drop_ended()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows n
                   WHERE n.purpose_no IS NOT NULL
                     AND NOT EXISTS (SELECT FROM consent c WHERE c.user_no = n.user_no AND c.purpose_no = n.purpose_no
                                                             AND c.granted AND c.grant_no = n.grant_no)) THEN
        RETURN NULL;
    END IF;
    DELETE FROM batch_journal b
    USING (SELECT DISTINCT n.run_no, n.user_no, n.segment_no, n.purpose_no, n.grant_no FROM new_rows n
           WHERE n.purpose_no IS NOT NULL
             AND NOT EXISTS (SELECT FROM consent c WHERE c.user_no = n.user_no AND c.purpose_no = n.purpose_no
                                                     AND c.granted AND c.grant_no = n.grant_no)) e
    WHERE b.run_no = e.run_no AND b.user_no = e.user_no AND b.segment_no = e.segment_no AND b.purpose_no = e.purpose_no
      AND b.grant_no IS NOT DISTINCT FROM e.grant_no;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    INSERT INTO dropped_records (source, row_count) VALUES ('batch_journal', v_count);
    RETURN NULL;
END $$;

-- The parents' triggers do not fire for an INSERT or COPY into a partition: every partition gets its own (lane_create,
-- batch_partition_create).
CREATE TRIGGER journal_consent AFTER INSERT ON journal
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION journal_drop_ended();
CREATE TRIGGER batch_journal_consent AFTER INSERT ON batch_journal
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION batch_journal_drop_ended();

-- Removes what is stored but no longer readable; returns how many rows.
CREATE FUNCTION records_sweep()
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
DECLARE
    v_count bigint;
    v_more bigint;
BEGIN
    DELETE FROM journal j
    WHERE j.purpose_no IS NOT NULL
      AND NOT EXISTS (SELECT FROM consent c WHERE c.user_no = j.user_no AND c.purpose_no = j.purpose_no
                                              AND c.granted AND c.grant_no = j.grant_no);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    DELETE FROM batch_journal b
    WHERE b.purpose_no IS NOT NULL
      AND NOT EXISTS (SELECT FROM consent c WHERE c.user_no = b.user_no AND c.purpose_no = b.purpose_no
                                              AND c.granted AND c.grant_no = b.grant_no);
    GET DIAGNOSTICS v_more = ROW_COUNT;
    IF v_count + v_more > 0 THEN
        INSERT INTO dropped_records (source, row_count) VALUES ('sweep', v_count + v_more);
    END IF;
    RETURN v_count + v_more;
END $$;

-- ---- partitions --------------------------------------------------------------------------------------------------

-- The rows and partitions of one lane; only migrate calls it. Doing it again changes nothing.
CREATE FUNCTION lane_create(p_lane integer, p_topic_count integer)
RETURNS void LANGUAGE plpgsql SET search_path = muster, pg_temp AS $$
BEGIN
    INSERT INTO lanes (lane) VALUES (p_lane) ON CONFLICT DO NOTHING;
    INSERT INTO reconcile_lanes (lane) VALUES (p_lane) ON CONFLICT DO NOTHING;
    IF to_regclass(format('muster.archive_lane_%s', p_lane)) IS NULL THEN
        EXECUTE format('CREATE TABLE archive_lane_%s PARTITION OF archive FOR VALUES IN (%s)', p_lane, p_lane);
        EXECUTE format('CREATE TABLE journal_lane_%s PARTITION OF journal FOR VALUES IN (%s)', p_lane, p_lane);
        EXECUTE format('CREATE TRIGGER journal_consent AFTER INSERT ON journal_lane_%s REFERENCING NEW TABLE AS new_rows '
                       'FOR EACH STATEMENT EXECUTE FUNCTION journal_drop_ended()', p_lane);
    END IF;
END $$;

-- The partition batch_journal_run_N, into which the run's records are copied. Attached, so that readers are not held up.
CREATE FUNCTION batch_partition_create(p_run_no bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
BEGIN
    IF to_regclass(format('muster.batch_journal_run_%s', p_run_no)) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM FROM runs WHERE run_no = p_run_no AND state = 'running';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'run % is not running', p_run_no USING ERRCODE = 'MU002';
    END IF;
    EXECUTE format('CREATE TABLE batch_journal_run_%s (LIKE batch_journal INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES, '
                   'CONSTRAINT run CHECK (run_no = %s))', p_run_no, p_run_no);
    EXECUTE format('ALTER TABLE batch_journal ATTACH PARTITION batch_journal_run_%s FOR VALUES IN (%s)', p_run_no, p_run_no);
    EXECUTE format('CREATE TRIGGER batch_journal_consent AFTER INSERT ON batch_journal_run_%s REFERENCING NEW TABLE AS new_rows '
                   'FOR EACH STATEMENT EXECUTE FUNCTION batch_journal_drop_ended()', p_run_no);
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'muster_batch') THEN
        EXECUTE format('GRANT INSERT ON batch_journal_run_%s TO muster_batch', p_run_no);
    END IF;
END $$;

-- Drops the records of a run that is not the current one of any segment.
CREATE FUNCTION batch_partition_drop(p_run_no bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM in_force WHERE run_no = p_run_no) THEN
        RAISE EXCEPTION 'run % is in use', p_run_no USING ERRCODE = 'MU002';
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS batch_journal_run_%s', p_run_no);
END $$;

-- Takes back one lane's records of a run that has not been activated (a lane is evaluated again). p_segment_no NULL: all.
CREATE FUNCTION batch_lane_clear(p_run_no bigint, p_lane integer, p_segment_no integer DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    PERFORM FROM runs WHERE run_no = p_run_no AND state = 'activated';
    IF FOUND THEN
        RAISE EXCEPTION 'run % is activated: its records never change', p_run_no USING ERRCODE = 'MU002';
    END IF;
    DELETE FROM batch_journal WHERE run_no = p_run_no AND lane = p_lane AND segment_no = coalesce(p_segment_no, segment_no);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;

-- ---- effective membership ----------------------------------------------------------------------------------------

-- One decided (segment, user): the evidence and the verdict, as in table audience.
CREATE TYPE audience_row AS (
    segment_no integer, user_no bigint, lane integer,
    s_build_no integer, s_step bigint, s_seq integer, s_member boolean, s_entered_at bigint, s_effective_at bigint,
    s_valid_until bigint, s_positions bigint[], s_certain boolean, s_uncertain_until bigint, s_grant_no bigint,
    s_written_at timestamptz,
    b_run_no bigint, b_verdict text, b_entered_at bigint, b_valid_until bigint, b_grant_no bigint,
    member boolean, entered_at bigint, valid_until bigint, valid_from bigint, decision text, version integer, build_no integer,
    run_no bigint, purpose_no smallint, grant_no bigint);

-- One row of history to append.
CREATE TYPE history_row AS (
    segment_no integer, user_no bigint, change text, member boolean, valid_from bigint, entered_at bigint, valid_until bigint,
    decision text, version integer, build_no integer, run_no bigint, lane integer, step bigint, seq integer, positions bigint[],
    purpose_no smallint, grant_no bigint, as_of bigint, detail text);

-- The only writer of verdicts and history besides consent_apply. Locks the consent it relies on (FOR SHARE, by user), then refuses
-- and counts what was decided under a grant that is no longer in force (under no grant only "not a member" may be written) or for
-- another purpose than the definition's, and writes the rest: history rows in their order, and one audience row per (segment,
-- user), at most 1,000 of each a call. A verdict without a history row keeps the history_id it had. Under READ COMMITTED only:
-- the statements after the lock must see what was committed while it waited.
CREATE FUNCTION audience_apply(p_rows audience_row[], p_history history_row[], OUT rows_refused bigint,
                               OUT history_refused bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
DECLARE
    v_rows bigint;
    v_history bigint;
BEGIN
    IF cardinality(p_rows) > 1000 OR cardinality(p_history) > 1000 THEN
        RAISE EXCEPTION 'audience_apply takes at most 1000 rows' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'audience_apply must run under READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM FROM consent c
    WHERE (c.user_no, c.purpose_no) IN (SELECT r.user_no, r.purpose_no FROM unnest(p_rows) r WHERE r.purpose_no IS NOT NULL
                                        UNION
                                        SELECT h.user_no, h.purpose_no FROM unnest(p_history) h WHERE h.purpose_no IS NOT NULL)
    ORDER BY c.user_no, c.purpose_no FOR SHARE;

    INSERT INTO history (segment_no, user_no, change, member, valid_from, entered_at, valid_until, decision, version, build_no, run_no,
                         lane, step, seq, positions, purpose_no, grant_no, as_of, detail)
    SELECT h.segment_no, h.user_no, h.change, h.member, h.valid_from, h.entered_at, h.valid_until, h.decision, h.version, h.build_no,
           h.run_no, h.lane, h.step, h.seq, h.positions, h.purpose_no, h.grant_no, h.as_of, coalesce(h.detail, '')
    FROM unnest(p_history) WITH ORDINALITY h
    JOIN definitions d ON d.segment_no = h.segment_no AND d.version = h.version AND d.purpose_no IS NOT DISTINCT FROM h.purpose_no
    LEFT JOIN consent c ON c.user_no = h.user_no AND c.purpose_no = h.purpose_no AND c.granted
    WHERE h.purpose_no IS NULL OR c.grant_no = h.grant_no OR (c.grant_no IS NULL AND h.grant_no IS NULL AND NOT h.member)
    ORDER BY h.ordinality;
    GET DIAGNOSTICS v_history = ROW_COUNT;

    INSERT INTO audience AS a (
        segment_no, user_no, lane, s_build_no, s_step, s_seq, s_member, s_entered_at, s_effective_at, s_valid_until, s_positions,
        s_certain, s_uncertain_until, s_grant_no, s_written_at, b_run_no, b_verdict, b_entered_at, b_valid_until, b_grant_no, member,
        entered_at, valid_until, valid_from, decision, version, build_no, run_no, purpose_no, grant_no, history_id)
    SELECT r.segment_no, r.user_no, r.lane, r.s_build_no, r.s_step, r.s_seq, r.s_member, r.s_entered_at, r.s_effective_at,
           r.s_valid_until, r.s_positions, r.s_certain, r.s_uncertain_until, r.s_grant_no, r.s_written_at, r.b_run_no, r.b_verdict,
           r.b_entered_at, r.b_valid_until, r.b_grant_no, r.member, r.entered_at, r.valid_until, r.valid_from, r.decision, r.version,
           r.build_no, r.run_no, r.purpose_no, r.grant_no,
           CASE WHEN w.segment_no IS NOT NULL THEN
               (SELECT max(x.history_id) FROM history x WHERE x.segment_no = r.segment_no AND x.user_no = r.user_no) END
    FROM unnest(p_rows) r
    JOIN definitions d ON d.segment_no = r.segment_no AND d.version = r.version AND d.purpose_no IS NOT DISTINCT FROM r.purpose_no
    LEFT JOIN consent c ON c.user_no = r.user_no AND c.purpose_no = r.purpose_no AND c.granted
    LEFT JOIN (SELECT DISTINCT h.segment_no, h.user_no FROM unnest(p_history) h) w
        ON w.segment_no = r.segment_no AND w.user_no = r.user_no
    WHERE r.purpose_no IS NULL OR c.grant_no = r.grant_no OR (c.grant_no IS NULL AND r.grant_no IS NULL AND NOT r.member)
    ORDER BY r.segment_no, r.user_no
    ON CONFLICT (segment_no, user_no) DO UPDATE SET
        lane = excluded.lane, s_build_no = excluded.s_build_no, s_step = excluded.s_step, s_seq = excluded.s_seq,
        s_member = excluded.s_member, s_entered_at = excluded.s_entered_at, s_effective_at = excluded.s_effective_at,
        s_valid_until = excluded.s_valid_until, s_positions = excluded.s_positions, s_certain = excluded.s_certain,
        s_uncertain_until = excluded.s_uncertain_until, s_grant_no = excluded.s_grant_no, s_written_at = excluded.s_written_at,
        b_run_no = excluded.b_run_no, b_verdict = excluded.b_verdict, b_entered_at = excluded.b_entered_at,
        b_valid_until = excluded.b_valid_until, b_grant_no = excluded.b_grant_no, member = excluded.member,
        entered_at = excluded.entered_at, valid_until = excluded.valid_until, valid_from = excluded.valid_from,
        decision = excluded.decision, version = excluded.version, build_no = excluded.build_no, run_no = excluded.run_no,
        purpose_no = excluded.purpose_no, grant_no = excluded.grant_no, history_id = coalesce(excluded.history_id, a.history_id);
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    rows_refused := coalesce(cardinality(p_rows), 0) - v_rows;
    history_refused := coalesce(cardinality(p_history), 0) - v_history;
    IF rows_refused > 0 THEN
        INSERT INTO dropped_records (source, row_count) VALUES ('audience', rows_refused);
    END IF;
END $$;

-- ---- history and ledger ------------------------------------------------------------------------------------------

-- Identifiers become visible out of order. Every insert holds this lock, shared, from before it draws its first id until it
-- commits; the sealer takes it alone, so that no id at or below the greatest it then sees can appear later.
CREATE FUNCTION history_insert_lock()
RETURNS trigger LANGUAGE plpgsql SET search_path = muster, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1836413812, 1);
    RETURN NULL;
END $$;
CREATE TRIGGER history_lock BEFORE INSERT ON history FOR EACH STATEMENT EXECUTE FUNCTION history_insert_lock();

CREATE FUNCTION append_only()
RETURNS trigger LANGUAGE plpgsql SET search_path = muster, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'MU002';
END $$;
CREATE TRIGGER history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON history
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER blocks_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON blocks
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER control_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON control
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- The greatest history_id that can be sealed (0: none). To be run as a transaction of its own, under READ COMMITTED.
CREATE FUNCTION history_boundary()
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1836413812, 1);
    RETURN (SELECT coalesce(max(history_id), 0) FROM history);
END $$;

-- The text of a row that the ledger hashes: a JSON array of its columns in order.
CREATE FUNCTION history_canonical(h history)
RETURNS text LANGUAGE sql STABLE SET search_path = muster, pg_temp AS $$
    SELECT json_build_array(h.history_id, h.segment_no, h.user_no, h.change, h.member, h.valid_from, h.entered_at, h.valid_until,
                            h.decision, h.version, h.build_no, h.run_no, h.lane, h.step, h.seq, h.positions, h.purpose_no, h.grant_no,
                            h.as_of, h.detail)::text
$$;

-- Appends the block behind p_previous_no (0: the first). False when another sealer was faster.
CREATE FUNCTION block_append(p_previous_no bigint, p_last_id bigint, p_row_count bigint, p_previous_hash bytea, p_hash bytea)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
DECLARE
    v_previous blocks;
BEGIN
    SELECT * INTO v_previous FROM blocks ORDER BY block_no DESC LIMIT 1;
    IF coalesce(v_previous.block_no, 0) <> p_previous_no THEN
        RETURN false;
    END IF;
    IF p_last_id <= coalesce(v_previous.last_id, 0) OR octet_length(p_hash) <> 32
       OR p_previous_hash <> coalesce(v_previous.hash, decode(repeat('00', 32), 'hex'))
       OR p_row_count <> (SELECT count(*) FROM history WHERE history_id > coalesce(v_previous.last_id, 0) AND history_id <= p_last_id) THEN
        RAISE EXCEPTION 'block % does not follow block %', p_previous_no + 1, p_previous_no USING ERRCODE = 'MU002';
    END IF;
    INSERT INTO blocks (block_no, last_id, row_count, previous_hash, hash)
    VALUES (p_previous_no + 1, p_last_id, p_row_count, p_previous_hash, p_hash)
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA muster FROM PUBLIC;
