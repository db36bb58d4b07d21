-- Messages may bring purposes that nobody has named yet, but not without end: purposes are numbered in two bytes, a number is used up
-- even by a transaction that fails, and whoever is deleted gets a row for each. Up to 1000 are made on first use; beyond that a
-- message's new purpose is refused. Definitions and the configuration still name as many as they like.

-- As before (consent_apply in 0002), with one more outcome: 'refused', a new purpose where there are 1000: not recorded.
CREATE OR REPLACE FUNCTION consent_apply(p_users bigint[], p_purposes text[], p_granted boolean[], p_changed_at bigint[], p_received_at bigint[],
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
    -- A definition on legitimate interest has its objection row alone: what it names is no new purpose.
    PERFORM purpose_ensure(i.purpose, 'consent')
    FROM (SELECT DISTINCT n.purpose COLLATE "C" AS purpose FROM unnest(p_purposes) AS n (purpose)
          WHERE EXISTS (SELECT FROM purposes p WHERE p.purpose = n.purpose)
            AND NOT EXISTS (SELECT FROM purposes p WHERE p.purpose = n.purpose AND NOT p.objection)
          ORDER BY 1) i;
    PERFORM purpose_ensure(i.purpose, 'consent')
    FROM (SELECT DISTINCT n.purpose COLLATE "C" AS purpose FROM unnest(p_purposes) AS n (purpose)
          WHERE NOT EXISTS (SELECT FROM purposes p WHERE p.purpose = n.purpose)
          ORDER BY 1 LIMIT greatest(0, 1000 - (SELECT count(*) FROM purposes))) i;
    PERFORM consent_lock(p_users, p_purposes);
    FOR change IN
        SELECT i.*, p.purpose_no, u.deleted_at
        FROM unnest(p_users, p_purposes, p_granted, p_changed_at, p_received_at)
             WITH ORDINALITY AS i (user_no, purpose, granted, changed_at, received_at, place)
        LEFT JOIN purposes p ON p.purpose = i.purpose AND NOT p.objection
        JOIN users u ON u.user_no = i.user_no
        ORDER BY i.user_no, i.place
    LOOP
        IF change.purpose_no IS NULL THEN
            v_outcomes[change.place] := 'refused';
            CONTINUE;
        END IF;
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
