-- The one writer of effective membership and history besides the withdrawal of consent.

SET search_path = muster, pg_temp;

-- One decided (segment, user): the evidence and the verdict, as in table audience.
CREATE TYPE audience_decided AS (
    segment_no        integer,
    user_no           bigint,
    lane              integer,
    s_build_no        integer,
    s_step            bigint,
    s_seq             integer,
    s_member          boolean,
    s_entered_at      bigint,
    s_effective_at    bigint,
    s_valid_until     bigint,
    s_positions       bigint[],
    s_certain         boolean,
    s_uncertain_until bigint,
    s_grant_no        bigint,
    s_written_at      timestamptz,
    b_run_no          bigint,
    b_verdict         text,
    b_entered_at      bigint,
    b_valid_until     bigint,
    b_grant_no        bigint,
    member            boolean,
    entered_at        bigint,
    valid_until       bigint,
    valid_from        bigint,
    decision          text,
    version           integer,
    build_no          integer,
    run_no            bigint,
    purpose_no        smallint,
    grant_no          bigint
);

-- One row of history to append, in the order given. It belongs to the audience_decided row of the same segment and user.
CREATE TYPE history_decided AS (
    segment_no  integer,
    user_no     bigint,
    change      text,
    member      boolean,
    valid_from  bigint,
    entered_at  bigint,
    valid_until bigint,
    decision    text,
    version     integer,
    build_no    integer,
    run_no      bigint,
    lane        integer,
    step        bigint,
    seq         integer,
    positions   bigint[],
    purpose_no  smallint,
    grant_no    bigint,
    as_of       bigint,
    detail      text
);

-- Writes up to 1,000 decided rows and 1,000 rows of history in the caller's transaction. The consent that the rows rest on is
-- locked FOR SHARE in user order, so a withdrawal comes wholly before or wholly after; a row (with its history) whose grant
-- is no longer the one in force is refused and counted. Call it under READ COMMITTED: the statement after the lock must
-- see what was committed while it waited. The lock that keeps sealing apart is taken by the trigger on history.
CREATE FUNCTION audience_apply(p_rows audience_decided[], p_history history_decided[],
                               OUT applied integer, OUT refused integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = muster, pg_temp AS $$
BEGIN
    IF coalesce(cardinality(p_rows), 0) > 1000 OR coalesce(cardinality(p_history), 0) > 1000 THEN
        RAISE EXCEPTION 'audience_apply takes at most 1000 rows' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'audience_apply must run under READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;

    PERFORM 1
       FROM consent c
      WHERE (c.user_no, c.purpose_no) IN (SELECT r.user_no, r.purpose_no FROM unnest(p_rows) r
                                           WHERE r.purpose_no IS NOT NULL)
      ORDER BY c.user_no, c.purpose_no
        FOR SHARE;

    WITH kept AS MATERIALIZED (
        SELECT r.*
          FROM unnest(p_rows) r
         WHERE r.purpose_no IS NULL
            OR EXISTS (SELECT 1 FROM consent c
                        WHERE c.user_no = r.user_no AND c.purpose_no = r.purpose_no
                          AND c.granted AND c.grant_no = r.grant_no)
    ), written AS (
        INSERT INTO history (segment_no, user_no, change, member, valid_from, entered_at, valid_until, decision, version,
                             build_no, run_no, lane, step, seq, positions, purpose_no, grant_no, as_of, detail)
        SELECT h.segment_no, h.user_no, h.change, h.member, h.valid_from, h.entered_at, h.valid_until, h.decision,
               h.version, h.build_no, h.run_no, h.lane, h.step, h.seq, h.positions, h.purpose_no, h.grant_no, h.as_of,
               coalesce(h.detail, '')
          FROM unnest(p_history) WITH ORDINALITY
               AS h (segment_no, user_no, change, member, valid_from, entered_at, valid_until, decision, version, build_no,
                     run_no, lane, step, seq, positions, purpose_no, grant_no, as_of, detail, place)
         WHERE EXISTS (SELECT 1 FROM kept k WHERE k.segment_no = h.segment_no AND k.user_no = h.user_no)
         ORDER BY h.place
        RETURNING history_id, segment_no, user_no
    ), newest AS (
        SELECT w.segment_no, w.user_no, max(w.history_id) AS history_id FROM written w GROUP BY 1, 2
    ), stored AS (
        INSERT INTO audience AS a (
               segment_no, user_no, lane, s_build_no, s_step, s_seq, s_member, s_entered_at, s_effective_at, s_valid_until,
               s_positions, s_certain, s_uncertain_until, s_grant_no, s_written_at, b_run_no, b_verdict, b_entered_at,
               b_valid_until, b_grant_no, member, entered_at, valid_until, valid_from, decision, version, build_no, run_no,
               purpose_no, grant_no, history_id)
        SELECT k.segment_no, k.user_no, k.lane, k.s_build_no, k.s_step, k.s_seq, k.s_member, k.s_entered_at,
               k.s_effective_at, k.s_valid_until, k.s_positions, k.s_certain, k.s_uncertain_until, k.s_grant_no,
               k.s_written_at, k.b_run_no, k.b_verdict, k.b_entered_at, k.b_valid_until, k.b_grant_no, k.member,
               k.entered_at, k.valid_until, k.valid_from, k.decision, k.version, k.build_no, k.run_no, k.purpose_no,
               k.grant_no, n.history_id
          FROM kept k LEFT JOIN newest n ON n.segment_no = k.segment_no AND n.user_no = k.user_no
        ON CONFLICT (segment_no, user_no) DO UPDATE SET
               lane = EXCLUDED.lane, s_build_no = EXCLUDED.s_build_no, s_step = EXCLUDED.s_step, s_seq = EXCLUDED.s_seq,
               s_member = EXCLUDED.s_member, s_entered_at = EXCLUDED.s_entered_at,
               s_effective_at = EXCLUDED.s_effective_at, s_valid_until = EXCLUDED.s_valid_until,
               s_positions = EXCLUDED.s_positions, s_certain = EXCLUDED.s_certain,
               s_uncertain_until = EXCLUDED.s_uncertain_until, s_grant_no = EXCLUDED.s_grant_no,
               s_written_at = EXCLUDED.s_written_at, b_run_no = EXCLUDED.b_run_no, b_verdict = EXCLUDED.b_verdict,
               b_entered_at = EXCLUDED.b_entered_at, b_valid_until = EXCLUDED.b_valid_until,
               b_grant_no = EXCLUDED.b_grant_no, member = EXCLUDED.member, entered_at = EXCLUDED.entered_at,
               valid_until = EXCLUDED.valid_until, valid_from = EXCLUDED.valid_from, decision = EXCLUDED.decision,
               version = EXCLUDED.version, build_no = EXCLUDED.build_no, run_no = EXCLUDED.run_no,
               purpose_no = EXCLUDED.purpose_no, grant_no = EXCLUDED.grant_no,
               history_id = coalesce(EXCLUDED.history_id, a.history_id)
        RETURNING 1
    )
    SELECT count(*) INTO applied FROM stored;
    refused := coalesce(cardinality(p_rows), 0) - applied;
END
$$;
REVOKE ALL ON FUNCTION audience_apply(audience_decided[], history_decided[]) FROM PUBLIC;

-- Users whose stream record is uncertain for a while: decided again when the watermark passes.
CREATE INDEX audience_uncertain ON audience (lane, s_uncertain_until) WHERE s_uncertain_until IS NOT NULL;
