#!/usr/bin/env bash
# The audience store on a real PostgreSQL: migrations, settings, roles, consent under races, history that cannot be changed.
#
# usage: tests/integration/store.sh BUILD_DIRECTORY      MUSTER_STACK_DIR names a stack that is up already
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/harness.sh

reconcile() { "$build/muster-reconcile" "$@" >"$work/out" 2>"$work/err"; }
muster() { "$build/muster" "$@" >"$work/out" 2>"$work/err"; }
says() { grep -q -- "$1" "$work/out" "$work/err"; }
silent() { ! says "$1"; }
as() { # ROLE SQL...: each statement in a session of that role
    local role=$1 statements=(-c "SET search_path = muster, pg_temp") statement
    shift
    for statement in "$@"; do statements+=(-c "$statement"); done
    psql -q -X -A -t -F, -v ON_ERROR_STOP=1 "$server dbname=$database user=$role" "${statements[@]}" 2>"$work/err"
}
gives() { # EXPECTED ROLE SQL...
    local expected=$1 got
    shift
    got=$(as "$@") || { echo "     failed: $(head -n 2 "$work/err")"; return 1; }
    [ "$got" = "$expected" ] || { echo "     expected $expected, got $got"; return 1; }
}
refused() { # PATTERN ROLE SQL...: the statement fails with that message
    local pattern=$1
    shift
    ! as "$@" >"$work/out" && grep -q -- "$pattern" "$work/err"
}

# Only PostgreSQL is needed: the other servers are said to exist already.
if [ -z "${MUSTER_STACK_DIR:-}" ]; then
    MUSTER_REDIS_URL=redis://127.0.0.1:1 MUSTER_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1 deploy/local/stack up "$stack" >"$work/out" 2>&1 ||
        { cat "$work/out"; exit 3; }
fi
eval "$(MUSTER_REDIS_URL=redis://127.0.0.1:1 MUSTER_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1 deploy/local/stack env "$stack")"
export MUSTER_REDIS_URL=redis://127.0.0.1:1
server=${MUSTER_STORE_CONNINFO% dbname=*}
database=muster_store_test_$$
export MUSTER_STORE_CONNINFO="$server dbname=$database"
export MUSTER_STORE_ADMIN_CONNINFO="$server dbname=$database user=muster_owner"
psql -q -X -v ON_ERROR_STOP=1 "$server dbname=postgres user=postgres" -c "CREATE DATABASE $database OWNER muster_owner"

# ---- migrations and settings --------------------------------------------------------------------------------------
check "a store without tables: exit 2" exits 2 muster status
check "... and says what to run" says "run muster-reconcile migrate"
check "migrate" exits 0 reconcile migrate
check "migrate again changes nothing" exits 0 reconcile migrate
check "... and says so" says "up to date"
check "another clock: exit 2" exits 2 reconcile migrate --set time.clock=event
check "... naming setting and both values" says 'time.clock is "event", but the store was made with "wall"'
check "a program with other partitions: exit 2" exits 2 muster status --set topics.partitions=8
check "... naming both values" says 'topics.partitions is "8", but the store was made with "4"'
check "another default of consent: exit 2" exits 2 muster status --set consent.marketing=opt_out
check "the default spelled out is no difference" exits 0 muster status --set consent.marketing=opt_in
newest=$(as muster_owner "SELECT max(number) FROM migrations")
as muster_owner "INSERT INTO migrations (number, name, sha256) VALUES (9999, 'later', '')"
check "a newer store is refused by migrate: exit 2" exits 2 reconcile migrate
check "... and by a program: exit 2" exits 2 muster status
check "... saying why" says "newer than this program ($newest)"
as muster_owner "DELETE FROM migrations WHERE number = 9999" \
    "UPDATE migrations SET sha256 = '\\x00'::bytea || sha256 WHERE number = 1"
check "a migration that differs from the applied one: exit 2" exits 2 reconcile migrate
check "... naming it" says "migration 0001_tables differs"
as muster_owner "UPDATE migrations SET sha256 = substr(sha256, 2) WHERE number = 1"
check "and back" exits 0 reconcile migrate
check "an unreachable server: exit 3" \
    exits 3 env MUSTER_STORE_CONNINFO="host=127.0.0.1 port=1 password=geheim" "$build/muster" status >"$work/out" 2>"$work/err"
check "... without the password" silent geheim
check "a broken connection string: exit 2" \
    exits 2 env MUSTER_STORE_CONNINFO="postgresql://u:geheim@h/d?wrong=1" "$build/muster" status >"$work/out" 2>"$work/err"
check "... without the string" silent geheim

# ---- what each role must not do -----------------------------------------------------------------------------------
for role in muster_batch muster_stream muster_reconcile muster_operator; do
    check "$role makes no temporary table" refused "permission denied" $role "CREATE TEMP TABLE consent (user_no bigint)"
    check "$role makes no table in public" refused "permission denied" $role "CREATE TABLE public.consent (user_no bigint)"
    check "$role makes no table in muster" refused "permission denied" $role "CREATE TABLE muster.x (user_no bigint)"
    for table in audience history blocks control consent; do
        check "$role does not write $table" refused "permission denied" $role "DELETE FROM $table"
        check "$role does not insert into $table" refused "permission denied" $role "INSERT INTO $table DEFAULT VALUES"
    done
    for journal in journal journal_lane_0 batch_journal; do
        check "$role does not read $journal past the view" refused "permission denied" $role "SELECT * FROM $journal"
    done
    check "$role writes no consent line" refused "denied\|consent functions only" $role "SELECT control_append('consent_granted')"
    check "$role does not end consent by itself" refused "permission denied" $role "SELECT consent_end(1, 1::smallint, 0)"
    check "$role reads the views" gives "0,0,0" $role \
        "SELECT (SELECT count(*) FROM members), (SELECT count(*) FROM stream_records), (SELECT count(*) FROM batch_records)"
done
check "a program in another's role: exit 2" \
    exits 2 env MUSTER_STORE_CONNINFO="$MUSTER_STORE_CONNINFO user=muster_batch" "$build/muster-reconcile" run >"$work/out" 2>"$work/err"
check "... saying so" says "the store allows this to another role only"
check "muster_batch does not decide" refused "permission denied" muster_batch "SELECT audience_apply(NULL, NULL)"
check "muster_stream does not decide" refused "permission denied" muster_stream "SELECT audience_apply(NULL, NULL)"
check "muster_reconcile does not change consent" refused "permission denied" muster_reconcile \
    "SELECT consent_apply('{1}', '{a}', '{t}', '{1}', '{1}', 'x')"

# ---- consent ------------------------------------------------------------------------------------------------------
as muster_owner "SELECT users_intern(ARRAY['ann', 'bob'], ARRAY[0, 1])" "SELECT purpose_ensure('marketing', 'consent')" \
    "INSERT INTO segments (segment_id) VALUES ('s')" \
    "INSERT INTO definitions (segment_no, version, document, sha256, author, purpose_no, evaluation, merge)
     VALUES (1, 1, '{}', '', 'test', 1, 'hybrid', 'streaming_first')" >/dev/null
said() { as muster_operator "SELECT consent_apply(ARRAY[1], ARRAY['marketing'], ARRAY[$1], ARRAY[$2::bigint], ARRAY[$3::bigint], 'operator')"; }
outcome() { [ "$(said "$2" "$3" "$4")" = "{$1}" ]; }
check "a grant counts" outcome changed true 1000 2000
check "the same grant again changes nothing" outcome unchanged true 1000 2000
check "an older withdrawal changes nothing" outcome older false 900 2000
check "a withdrawal at the same instant wins" outcome changed false 1000 2000
check "... and a grant at that instant loses" outcome older true 1000 2000
check "a grant dated too far ahead is refused" outcome future true 400000 2000
check "one dated a little ahead counts from its receipt" outcome changed true 100000 2000
check "... so a withdrawal right after it counts" outcome changed false 2001 2100
check "every new grant has a new number" gives "2" muster_owner "SELECT count(DISTINCT grant_no) FROM control WHERE kind = 'consent_granted'"
check "a later grant" outcome changed true 3000 3000
check "a delete withdraws" gives "changed" muster_operator "SELECT consent_delete(1, 4000, 4000, 'operator')"
check "... once" gives "unchanged" muster_operator "SELECT consent_delete(1, 4000, 4000, 'operator')"
check "... leaves a pending erasure" gives "1" muster_operator "SELECT count(*) FROM control WHERE kind = 'erasure_requested'"
check "... and what was granted before it, for a purpose nobody knew, is not" gives "{older}" muster_operator \
    "SELECT consent_apply(ARRAY[1], ARRAY['late'], ARRAY[true], ARRAY[3500::bigint], ARRAY[5000::bigint], 'operator')"
check "control lines are numbered without a gap" gives "t" muster_owner \
    "SELECT max(control_no) = count(*) AND max(control_no) = (SELECT control_no FROM control_head) FROM control"
check "an objection begins as none" gives "t" muster_operator "SELECT purpose_ensure('marketing', 'legitimate_interest') IS NOT NULL"
check "... for a user who never withdrew" gives "t" muster_owner \
    "SELECT granted FROM consent JOIN purposes USING (purpose_no) WHERE user_no = 2 AND objection"
check "... and not for one who was deleted" gives "f" muster_owner \
    "SELECT granted FROM consent JOIN purposes USING (purpose_no) WHERE user_no = 1 AND objection"
check "a withdrawal is an objection too" gives "f" muster_operator \
    "DO \$\$ BEGIN PERFORM consent_apply(ARRAY[2], ARRAY['marketing'], ARRAY[false], ARRAY[9::bigint], ARRAY[9::bigint], 'operator'); END \$\$" \
    "SELECT granted FROM consent JOIN purposes USING (purpose_no) WHERE user_no = 2 AND objection"

# Messages bring new purposes up to a number; what definitions and the configuration name is not counted against them.
as muster_owner "SELECT count(purpose_ensure('p' || i, 'consent')) FROM generate_series(1, 999 - (SELECT count(*) FROM purposes)::integer) i" \
    >/dev/null
check "the last new purpose that a message may bring, and the first that it may not" gives "{changed,refused}" muster_stream \
    "SELECT consent_apply(ARRAY[2, 2], ARRAY['new_1', 'new_2'], ARRAY[true, false], ARRAY[9::bigint, 9], ARRAY[9::bigint, 9], 'stream')"
check "... which is not recorded" gives "1000,0" muster_owner \
    "SELECT (SELECT count(*) FROM purposes), (SELECT count(*) FROM purposes WHERE purpose = 'new_2')"
check "... while those known go on to change" gives "{changed}" muster_stream \
    "SELECT consent_apply(ARRAY[2], ARRAY['new_1'], ARRAY[false], ARRAY[10::bigint], ARRAY[10::bigint], 'stream')"
check "a definition still names a new one" gives "t" muster_operator "SELECT purpose_ensure('named', 'legitimate_interest') IS NOT NULL"
check "... and its objection counts at once" gives "{changed}" muster_stream \
    "SELECT consent_apply(ARRAY[2], ARRAY['named'], ARRAY[false], ARRAY[11::bigint], ARRAY[11::bigint], 'stream')"
as muster_owner "DELETE FROM consent WHERE purpose_no > 10" "DELETE FROM consent_changes WHERE purpose_no > 10" \
    "DELETE FROM purposes WHERE purpose_no > 10" >/dev/null

# ---- consent against writers --------------------------------------------------------------------------------------
users=400
as muster_owner \
    "SELECT count(*) FROM users_intern(ARRAY(SELECT 'u' || i FROM generate_series(1, $users) i), ARRAY(SELECT i % 4 FROM generate_series(1, $users) i))" \
    "SELECT consent_apply(ARRAY(SELECT user_no FROM user_ids WHERE user_id LIKE 'u%' ORDER BY user_no), array_fill('marketing'::text, ARRAY[$users]),
        array_fill(true, ARRAY[$users]), array_fill(100000::bigint, ARRAY[$users]), array_fill(100000::bigint, ARRAY[$users]), 'operator') IS NULL" \
    "CREATE TABLE stale AS SELECT c.user_no, u.lane, c.grant_no FROM consent c JOIN users u USING (user_no) WHERE c.granted AND c.purpose_no = 1" \
    "GRANT SELECT ON stale TO muster_stream, muster_reconcile, muster_operator" \
    "CREATE TABLE boundaries (boundary bigint, row_count bigint)" "GRANT INSERT, SELECT ON boundaries TO muster_reconcile" >/dev/null
check "as many users as were granted" gives "$users" muster_owner "SELECT count(*) FROM stale"

# Pipelines and the reconciler that go on with the grants they read before anybody withdrew.
journal_writer="DO \$\$ BEGIN FOR i IN 1..30 LOOP
    INSERT INTO journal (lane, step, seq, build_no, segment_no, version, user_no, member, effective_at, positions, certain, purpose_no, grant_no, epoch)
    SELECT lane, i, row_number() OVER (), 1, 1, 1, user_no, true, 1, '{1}', true, 1, grant_no, 1 FROM stale;
    PERFORM pg_sleep(0.02); COMMIT; END LOOP; END \$\$"
leaf_writer=${journal_writer//INTO journal/INTO journal_lane_1}
leaf_writer=${leaf_writer//FROM stale/FROM stale WHERE lane = 1}
audience_writer() { # DIRECTION: applies chunks of 20 users, waiting before each commit
    echo "DO \$\$ DECLARE chunk bigint[]; BEGIN FOR i IN 1..3 LOOP
    FOR chunk IN SELECT array_agg(user_no) FROM (SELECT user_no, (row_number() OVER (ORDER BY user_no $1) - 1) / 20 AS n FROM stale) x GROUP BY n ORDER BY n LOOP
        PERFORM audience_apply(
            ARRAY(SELECT ROW(1, user_no, lane, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 'member', 1, NULL, grant_no,
                             true, 1, NULL, 1, 'batch_new_member', 1, NULL, 1, 1, grant_no)::audience_row FROM stale WHERE user_no = ANY (chunk)),
            ARRAY(SELECT ROW(1, user_no, 'entered', true, 1, 1, NULL, 'batch_new_member', 1, NULL, 1, NULL, NULL, NULL, NULL, 1, grant_no, NULL, '')::history_row
                  FROM stale WHERE user_no = ANY (chunk)));
        PERFORM pg_sleep(0.01); COMMIT;
    END LOOP; END LOOP; END \$\$"
}
withdrawer() { # REMAINDER: one user after the other
    echo "DO \$\$ DECLARE u bigint; BEGIN
    FOR u IN SELECT user_no FROM stale WHERE user_no % 2 = $1 AND user_no % 10 <> 0 ORDER BY md5(user_no::text) LOOP
        PERFORM consent_apply(ARRAY[u], ARRAY['marketing'], ARRAY[false], ARRAY[200000::bigint], ARRAY[200000::bigint], 'operator');
        COMMIT; PERFORM pg_sleep(0.002);
    END LOOP; END \$\$"
}
sealer="DO \$\$ DECLARE b bigint; BEGIN FOR i IN 1..40 LOOP
    b := history_boundary(); COMMIT;
    INSERT INTO boundaries SELECT b, count(*) FROM history WHERE history_id <= b;
    COMMIT; PERFORM pg_sleep(0.02); END LOOP; END \$\$"
pids=()
race() { as "$@" >/dev/null || { echo "     $1: $(head -n 1 "$work/err")"; return 1; } & pids+=($!); }
race muster_stream "$journal_writer"
race muster_stream "$leaf_writer"
race muster_reconcile "$(audience_writer ASC)"
race muster_reconcile "$(audience_writer DESC)"
race muster_reconcile "$sealer"
race muster_operator "$(withdrawer 0)"
race muster_operator "$(withdrawer 1)"
ended=0
for pid in "${pids[@]}"; do wait "$pid" || ended=1; done
check "no writer and no withdrawal failed" [ $ended -eq 0 ]
withdrawn=$((users - users / 10))
check "the withdrawals arrived" gives "$withdrawn" muster_owner \
    "SELECT count(*) FROM stale JOIN consent USING (user_no) WHERE purpose_no = 1 AND NOT granted"
check "no readable stream record of a withdrawn user" gives "0" muster_reconcile \
    "SELECT count(*) FROM stream_records s JOIN consent c USING (user_no) WHERE c.purpose_no = 1 AND NOT c.granted"
check "no member whose consent is withdrawn" gives "0" muster_reconcile \
    "SELECT count(*) FROM audience a JOIN consent c USING (user_no) WHERE c.purpose_no = 1 AND NOT c.granted AND a.member"
check "every withdrawn member's last word is the withdrawal" gives "0" muster_reconcile \
    "SELECT count(*) FROM (SELECT DISTINCT ON (user_no) user_no, member FROM history ORDER BY user_no, history_id DESC) h
     JOIN consent c USING (user_no) WHERE c.purpose_no = 1 AND NOT c.granted AND h.member"
check "who kept consent is a member" gives "$((users / 10))" muster_reconcile "SELECT count(*) FROM members"
check "... and each of its records is readable" gives "0" muster_owner \
    "SELECT (SELECT count(*) FROM journal JOIN stale USING (user_no, grant_no) JOIN consent c USING (user_no) WHERE c.purpose_no = 1 AND c.granted)
          - (SELECT count(*) FROM stream_records)"
check "... none of them lost" gives "t" muster_owner \
    "SELECT count(*) = (SELECT sum(30 + CASE lane WHEN 1 THEN 30 ELSE 0 END) FROM stale WHERE user_no % 10 = 0) FROM stream_records"
check "records were dropped on the way in" gives "t,t" muster_reconcile \
    "SELECT (SELECT sum(row_count) FROM dropped_records WHERE source = 'journal') > 0, (SELECT sum(row_count) FROM dropped_records WHERE source = 'audience') > 0"
check "below a boundary nothing appears later" gives "0,t" muster_reconcile \
    "SELECT count(*) FILTER (WHERE row_count <> (SELECT count(*) FROM history WHERE history_id <= boundary)), max(boundary) > 100 FROM boundaries"
check "a COPY into a partition drops as well" gives "0" postgres \
    "SET ROLE muster_stream" \
    "INSERT INTO journal_lane_0 (lane, step, seq, build_no, segment_no, version, user_no, member, effective_at, positions, certain, purpose_no, grant_no, epoch)
     VALUES (0, 9999, 1, 1, 1, 1, 1, true, 1, '{1}', true, 1, 77777, 1)" "RESET ROLE" "SELECT count(*) FROM journal WHERE step = 9999"
check "leaving the purpose out gains nothing" gives "0" postgres \
    "SET ROLE muster_stream" \
    "INSERT INTO journal (lane, step, seq, build_no, segment_no, version, user_no, member, effective_at, positions, certain, epoch)
     VALUES (0, 9999, 1, 1, 1, 1, 1, true, 1, '{1}', true, 1)" "SELECT count(*) FROM stream_records WHERE step = 9999"
check "the sweep removes what is unreadable and no more" gives "0" muster_owner \
    "DO \$\$ BEGIN PERFORM records_sweep(); END \$\$" \
    "SELECT (SELECT count(*) FROM journal WHERE purpose_no IS NOT NULL) - (SELECT count(*) FROM stream_records)"

# ---- shadows, history, ledger -------------------------------------------------------------------------------------
as postgres "GRANT TEMPORARY ON DATABASE $database TO muster_reconcile" >/dev/null
check "a temporary table in front of consent changes nothing" gives "(1,1)" muster_reconcile \
    "CREATE TEMP TABLE consent AS SELECT 1::bigint AS user_no, 1::smallint AS purpose_no, true AS granted, 77::bigint AS grant_no" \
    "SET search_path = pg_temp, muster" \
    "SELECT muster.audience_apply(
        ARRAY[ROW(1, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 'member', 1, NULL, 77,
                  true, 1, NULL, 1, 'batch_new_member', 1, NULL, 1, 1, 77)::muster.audience_row],
        ARRAY[ROW(1, 1, 'entered', true, 1, 1, NULL, 'batch_new_member', 1, NULL, 1, NULL, NULL, NULL, NULL, 1, 77, NULL, '')::muster.history_row])"
as postgres "REVOKE TEMPORARY ON DATABASE $database FROM muster_reconcile" >/dev/null
for role in muster_owner postgres; do
    check "$role does not change history" refused "append-only" $role "UPDATE history SET member = true"
    check "$role does not delete history" refused "append-only" $role "DELETE FROM history"
    check "$role does not empty history" refused "append-only" $role "TRUNCATE history"
    check "$role does not change a block" refused "append-only" $role "DELETE FROM blocks"
    check "$role does not change the control log" refused "append-only" $role "UPDATE control SET user_no = 0"
done
check "a block that does not follow is refused" refused "does not follow" muster_reconcile \
    "SELECT block_append(0, 10, 10, sha256('x'), sha256('y'))"

# ---- the operator's tool ------------------------------------------------------------------------------------------
check "members" exits 0 muster members s --format csv
check "... lists who kept consent" [ "$(wc -l <"$work/out")" -eq $((users / 10 + 1)) ]
kept=$(sed -n 2p "$work/out" | cut -d, -f2)
check "explain a member" exits 0 muster explain s "$kept"
check "... in words" says "the batch found a member"
check "explain one who is none: exit 1" exits 1 muster explain s bob
check "an unknown segment: exit 4" exits 4 muster members nothing
check "history" exits 0 muster history --segment s --format jsonl
check "... has every row" gives "$(wc -l <"$work/out")" muster_owner "SELECT count(*) FROM history"
check "members as of then" exits 0 muster members s --as-of 1970-01-01T00:02:00Z --format csv
check "... all but those who had never entered" gives "$(($(wc -l <"$work/out") - 1))" muster_owner \
    "SELECT count(DISTINCT user_no) FROM history WHERE member"
check "as known before anything was sealed: nobody" exits 0 muster members s --as-of 1970-01-01T00:02:00Z --known-at 2020-01-01 --format csv
check "... but the header" [ "$(wc -l <"$work/out")" -eq 1 ]
check "what will be known later is refused: exit 2" exits 2 muster members s --known-at 9999-01-01
check "withdraw with Redis down: queued, exit 0" exits 0 muster consent set "$kept" marketing withdrawn
check "... and says so" says "queued"
check "the queue holds it" gives "t" muster_operator \
    "SELECT EXISTS (SELECT FROM removals JOIN user_ids USING (user_no) WHERE user_id = '$kept')"
check "a closed pipe: exit 0" bash -c "set -o pipefail; '$build/muster' history --segment s | head -n 1 >/dev/null"
check "a full disk: exit 70" exits 70 bash -c "'$build/muster' history --segment s >/dev/full 2>/dev/null"

psql -q -X "$server dbname=postgres user=postgres" -c "DROP DATABASE $database WITH (FORCE)" >/dev/null 2>&1 || true
finish
