#!/usr/bin/env bash
# muster-reconcile on a real store and a real Redis, with records written by hand: decisions, expiry, consent, kills, the daemon.
#
# usage: tests/integration/reconcile.sh BUILD_DIRECTORY      MUSTER_STACK_DIR names a stack that is up already
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/harness.sh
watch_pid=
RANDOM=7

cleanup_first() {
    [ -z "$watch_pid" ] || kill "$watch_pid" 2>/dev/null || true
}
reconcile() { "$build/muster-reconcile" "$@" >"$work/out" 2>"$work/err"; }
says() { grep -q -- "$1" "$work/out" "$work/err"; }
sql() { psql -q -X -A -t -F, -v ON_ERROR_STOP=1 "$MUSTER_STORE_ADMIN_CONNINFO" -c "SET search_path = muster" "$@"; }
gives() { # EXPECTED SQL
    local got
    got=$(sql -c "$2")
    [ "$got" = "$1" ] || { echo "     expected $1, got $got"; return 1; }
}
redis() { redis-cli -u "$MUSTER_REDIS_URL" "$@"; }
serves() { # EXPECTED COMMAND...
    local wanted=$1 got
    shift
    got=$(redis "$@")
    [ "$got" = "$wanted" ] || { echo "     expected $wanted, got $got"; return 1; }
}
within() { # MS COMMAND...: becomes true in time
    local limit=$1 begun
    begun=$(date +%s%3N)
    shift
    until "$@" >/dev/null 2>&1; do
        [ $(($(date +%s%3N) - begun)) -lt "$limit" ] || return 1
        sleep 0.02
    done
}

fresh_store() {
    local database=${MUSTER_STORE_ADMIN_CONNINFO/ user=muster_owner/}
    psql -q -X -v ON_ERROR_STOP=1 "${database/dbname=muster/dbname=postgres} user=postgres" \
        -c 'DROP DATABASE IF EXISTS muster WITH (FORCE)' -c 'CREATE DATABASE muster OWNER muster_owner' 2>/dev/null
    "$build/muster-reconcile" migrate >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
}

# 600 users who granted marketing; a run as of 100000 that read offsets up to 10 and has users 1 to 400, half of them until 300000.
batch_side() {
    sql -f - >/dev/null <<'SQL'
SET search_path = muster;
INSERT INTO segments (segment_id) VALUES ('cart');
SELECT purpose_ensure('marketing', 'consent');
INSERT INTO definitions (segment_no, version, document, sha256, author, purpose_no, evaluation, merge)
VALUES (1, 1, '{"segmentId":"cart","criteria":[{"event":"add"}]}', '\x00', 'test', 1, 'hybrid', 'streaming_first');
SELECT FROM users_intern(ARRAY(SELECT 'u' || lpad(g::text, 4, '0') FROM generate_series(1, 600) g),
                         ARRAY(SELECT g % 4 FROM generate_series(1, 600) g));
SELECT consent_apply(ARRAY(SELECT user_no FROM user_ids), ARRAY(SELECT 'marketing' FROM user_ids), ARRAY(SELECT true FROM user_ids),
                     ARRAY(SELECT 1000 FROM user_ids), ARRAY(SELECT 1000 FROM user_ids), 'load');
INSERT INTO runs (as_of, snapshot_at, control_no, program)
VALUES (100000, clock_timestamp(), (SELECT control_no FROM control_head), 'test');
SELECT batch_partition_create(1);
INSERT INTO run_segments VALUES (1, 1, 1, 'done');
INSERT INTO run_coverage SELECT 1, t, l, 10 FROM generate_series(0, 2) t, generate_series(0, 3) l;
INSERT INTO batch_journal
SELECT 1, 1, 1, u.user_no, u.lane, true, 50000 + u.user_no, CASE WHEN u.user_no % 2 = 0 THEN 300000 END, 1, c.grant_no
FROM users u JOIN consent c USING (user_no) WHERE u.user_no <= 400;
UPDATE runs SET state = 'activated', activated_at = clock_timestamp() WHERE run_no = 1;
SELECT control_append('run_activated', p_run_no => 1);
SQL
}

# A record of a user in a step: USER_CONDITION STEP MEMBER ENTERED EFFECTIVE VALID_UNTIL OFFSET
stream_records() {
    sql -c "INSERT INTO journal (lane, step, seq, build_no, segment_no, version, user_no, member, entered_at, effective_at, valid_until,
                                 positions, certain, purpose_no, grant_no, epoch)
            SELECT u.lane, $2, u.user_no, 1, 1, 1, u.user_no, $3, $4, $5, $6, ARRAY[$7, -1, -1], true, 1, c.grant_no, 1
            FROM users u JOIN consent c USING (user_no) WHERE c.granted AND ($1)" \
        -c "UPDATE lanes SET epoch = 1, step = $2, updated_at = clock_timestamp()" -c "SELECT pg_notify('muster_journal', '')" >/dev/null
}

# A complete build that has read past the run: users 1 to 300 as the run says, 501 to 550 new, 1 to 50 out again at 120000.
stream_side() {
    sql -c "INSERT INTO builds (segment_no, version, history) VALUES (1, 1, 'archive')" \
        -c "INSERT INTO build_lanes SELECT 1, l, NULL, true, clock_timestamp() FROM generate_series(0, 3) l" \
        -c "INSERT INTO lane_progress SELECT l, t, 11, 150000 FROM generate_series(0, 2) t, generate_series(0, 3) l"
    stream_records "u.user_no <= 300 OR u.user_no BETWEEN 501 AND 550" 1 true "50000 + u.user_no" "50000 + u.user_no" \
        "CASE WHEN u.user_no % 2 = 0 THEN 300000 END" 5
    stream_records "u.user_no <= 50" 2 false NULL 120000 NULL 12
    sql -c "UPDATE lanes SET watermark = 150000"
}

history() {
    sql -c "SELECT user_no, change, member, valid_from, entered_at, valid_until, decision, version, build_no, run_no, lane, step, seq
            FROM history ORDER BY user_no, history_id"
}
audience() {
    sql -c "SELECT segment_no, user_no, member, entered_at, valid_until, valid_from, decision, s_step, s_seq, b_verdict
            FROM audience ORDER BY 1, 2"
}

deploy/local/stack up "$stack" 2>/dev/null
eval "$(deploy/local/stack env "$stack")"
export MUSTER_CONF=/dev/null MUSTER_TIME_CLOCK=event

fresh_store
batch_side
check "a run makes members" reconcile run
check "only the batch knows them" gives "batch_new_member,400" "SELECT decision, count(*) FROM audience GROUP BY 1"
check "they are served" serves 400 scard muster:s:cart
check "with their ends" serves 300000 hget muster:u:u0002 cart
check "an open end is empty" serves "" hget muster:u:u0001 cart
before=$(history | wc -l)
reconcile run
check "a second pass writes nothing" test "$(history | wc -l)" -eq "$before"
check "and says so" says "0 records merged, 0 entered, 0 exited"

stream_side
reconcile run
check "a lane that covers the run decides by its silence" gives "stream_covers,f,150
stream_covers,t,300" "SELECT decision, member, count(*) FROM audience GROUP BY 1, 2 ORDER BY 1, 2"
check "each deciding record has its row" gives 400 "SELECT count(*) FROM history WHERE build_no = 1 AND step IS NOT NULL"
check "what was served follows" serves 300 scard muster:s:cart
check "both sides can be compared at the run's instant" gives "t,400,350,100" \
    "SELECT comparable, batch_members, stream_members, only_batch FROM divergence WHERE kind = 'aligned' ORDER BY divergence_no DESC LIMIT 1"
sql -c "UPDATE build_lanes SET complete_from = 100001 WHERE lane = 2"
reconcile run
check "but not where the stream was complete only later" gives "f,the stream was not complete yet in lane 2 at the instant of run 1" \
    "SELECT comparable, reason FROM divergence WHERE kind = 'aligned' ORDER BY divergence_no DESC LIMIT 1"
sql -c "UPDATE build_lanes SET complete_from = NULL"
reconcile run
history >"$work/history-whole"
audience >"$work/audience-whole"

check "history is sealed" gives t "SELECT max(last_id) = (SELECT max(history_id) FROM history) FROM blocks"

sql -c "UPDATE lanes SET watermark = 300000"
reconcile run
check "memberships end by themselves" gives "exited,300000,150" \
    "SELECT change, valid_from, count(*) FROM history WHERE decision = 'expired' GROUP BY 1, 2"

# The same evidence, with the reconciler killed at random instants: the same audience and history.
fresh_store
batch_side
reconcile run --no-publish
stream_side
killed=0
for _ in 1 2 3 4 5 6; do
    "$build/muster-reconcile" run >/dev/null 2>&1 &
    pid=$!
    sleep "0.0$((10 + RANDOM % 80))"
    if kill -KILL "$pid" 2>/dev/null; then killed=$((killed + 1)); fi
    wait "$pid" 2>/dev/null || true
done
reconcile run
echo "     killed $killed times"
history >"$work/history-killed"
audience >"$work/audience-killed"
check "the audience is the same after kills" cmp "$work/audience-whole" "$work/audience-killed"
check "the history is the same after kills" cmp "$work/history-whole" "$work/history-killed"

# The daemon.
"$build/muster-reconcile" watch >"$work/watch.log" 2>&1 &
watch_pid=$!
check "watch begins" within 5000 grep -q watching "$work/watch.log"
check "watch brings Redis up to date" within 5000 serves 300 scard muster:s:cart
check "a second reconciler is told to wait" exits 1 timeout 10 "$build/muster-reconcile" watch 2>"$work/err"
check "by name" says "another reconciler is at work"
stream_records "u.user_no = 590" 3 true 160000 160000 400000 13
check "a new record is served within 200 ms (and as much for looking)" within 400 serves 400000 hget muster:u:u0590 cart
sql -c "SELECT consent_apply(ARRAY[590::bigint], ARRAY['marketing'], ARRAY[false], ARRAY[170000], ARRAY[170000::bigint], 'operator')" \
    >/dev/null
check "a withdrawn user is gone from the store at once" gives 0 "SELECT count(*) FROM members WHERE user_no = 590"
check "and from Redis within a second" within 1000 serves 0 exists muster:u:u0590
stream_records "u.user_no = 591" 4 true 160000 160000 400000 14
sql -c "SELECT consent_apply(ARRAY[590::bigint], ARRAY['marketing'], ARRAY[true], ARRAY[180000], ARRAY[180000::bigint], 'operator')" \
    >/dev/null
check "the daemon goes on" within 1000 serves 400000 hget muster:u:u0591 cart
check "a new grant restores nothing by itself" serves 0 exists muster:u:u0590
stream_records "u.user_no = 590" 5 true 160000 185000 400000 15
check "the stream's announcement under the new grant does" within 1000 serves 400000 hget muster:u:u0590 cart
check "but not from before the grant" gives 180000 \
    "SELECT valid_from FROM history WHERE user_no = 590 ORDER BY history_id DESC LIMIT 1"
redis flushall >/dev/null
check "a Redis that lost its content is filled again" within 5000 serves 302 scard muster:s:cart
check "under a number of its own" test "$(redis get muster:rebuild)" -gt 1
sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'muster-reconcile'" >/dev/null || true
sleep 0.3
stream_records "u.user_no = 592" 6 true 160000 160000 400000 16
check "a lost connection is made again" within 5000 serves 400000 hget muster:u:u0592 cart
kill -TERM "$watch_pid"
check "SIGTERM ends it with exit status 0" wait "$watch_pid"
watch_pid=
measured=$(sql -c "SELECT max(divergence_no) FROM divergence")
stream_records "u.user_no = 593" 7 true 160000 160000 400000 17
sql -c "BEGIN" -c "LOCK TABLE divergence IN SHARE MODE" -c "SELECT pg_sleep(4)" -c "COMMIT" >/dev/null &
lock_pid=$!
check "measuring divergence is held up" within 2000 gives 1 \
    "SELECT count(*) FROM pg_locks WHERE relation = 'divergence'::regclass AND mode = 'ShareLock' AND granted"
"$build/muster-reconcile" watch >"$work/watch.log" 2>&1 &
watch_pid=$!
check "publication does not wait for it" within 2500 serves 400000 hget muster:u:u0593 cart
wait "$lock_pid"
check "it is measured all the same" within 3000 gives t "SELECT max(divergence_no) > $measured FROM divergence"
check "records whose grant has ended are swept" within 3000 gives 0 \
    "SELECT count(*) FROM journal JOIN consent USING (user_no, purpose_no) WHERE NOT granted OR journal.grant_no <> consent.grant_no"
check "some were" gives t "SELECT sum(row_count) > 0 FROM dropped_records WHERE source = 'sweep'"
kill -TERM "$watch_pid"
check "SIGTERM ends it again" wait "$watch_pid"
watch_pid=
check "with the ledger unbroken" gives t "SELECT bool_and(b.previous_hash = p.hash) FROM blocks b JOIN blocks p ON p.block_no = b.block_no - 1"

MUSTER_REDIS_URL=redis://127.0.0.1:1/0 reconcile run
check "without Redis the pass is done and an alert is open" gives "publication,redis" \
    "SELECT kind, subject FROM alerts WHERE state = 'raised' AND kind = 'publication'"
reconcile run
check "which ends when it is back" gives 0 "SELECT count(*) FROM alerts WHERE state = 'raised' AND kind = 'publication'"

# A version that needs another purpose, or one at all: who has not granted it is out when it takes over. Users 1 to 5 have.
next_version() { # VERSION RUN PURPOSE_NO: evaluated by a run that finds users 1 to 400 where they may be found
    sql -c "INSERT INTO definitions (segment_no, version, document, sha256, author, purpose_no, evaluation, merge)
            VALUES (1, $1, '{\"segmentId\":\"cart\",\"criteria\":[{\"event\":\"add\"}]}', '\x00', 'test', $3, 'hybrid', 'streaming_first')" \
        -c "INSERT INTO runs (as_of, snapshot_at, control_no, program)
            VALUES (100000 + $2, clock_timestamp(), (SELECT control_no FROM control_head), 'test')" \
        -c "SELECT batch_partition_create($2)" -c "INSERT INTO run_segments VALUES ($2, 1, $1, 'done')" \
        -c "INSERT INTO run_coverage SELECT $2, t, l, 10 FROM generate_series(0, 2) t, generate_series(0, 3) l" \
        -c "INSERT INTO batch_journal SELECT $2, 1, $1, u.user_no, u.lane, true, 50000 + u.user_no, NULL, $3::smallint, c.grant_no
            FROM users u LEFT JOIN consent c ON c.user_no = u.user_no AND c.purpose_no = $3::smallint AND c.granted
            WHERE u.user_no <= 400 AND ($3::smallint IS NULL OR c.grant_no IS NOT NULL)" \
        -c "UPDATE runs SET state = 'activated', activated_at = clock_timestamp() WHERE run_no = $2" \
        -c "SELECT control_append('run_activated', p_run_no => $2)" >/dev/null
}
fresh_store
batch_side
reconcile run
sql -c "SELECT purpose_ensure('analytics', 'consent')" \
    -c "SELECT consent_apply(ARRAY[1, 2, 3, 4, 5]::bigint[], array_fill('analytics'::text, ARRAY[5]), array_fill(true, ARRAY[5]),
                             array_fill(2000::bigint, ARRAY[5]), array_fill(2000::bigint, ARRAY[5]), 'operator')" >/dev/null
next_version 2 2 2
reconcile run
check "a version for another purpose keeps only who granted it" gives 5 "SELECT count(*) FROM members"
check "in Redis too" serves 5 scard muster:s:cart
check "and the history says so" gives "exited,f,consent_withdrawn,395" \
    "SELECT change, member, decision, count(*) FROM history WHERE version = 2 AND NOT member GROUP BY 1, 2, 3"
before=$(history | wc -l)
reconcile run --all
check "doing it again changes nothing" test "$(history | wc -l)" -eq "$before"
next_version 3 3 NULL
reconcile run
check "a version that needs no consent has them all" gives 400 "SELECT count(*) FROM members"
next_version 4 4 1
sql -c "SELECT consent_apply(ARRAY[7::bigint], ARRAY['marketing'], ARRAY[false], ARRAY[110000], ARRAY[110000::bigint], 'operator')" >/dev/null
check "a membership that needs no consent survives a withdrawal" gives 1 "SELECT count(*) FROM members WHERE user_no = 7"
reconcile run
check "until a version that needs it takes over" gives "0,399" "SELECT count(*) FILTER (WHERE user_no = 7), count(*) FROM members"

# A version is pending while its build catches up: the stream feeds that one alone, so the old build's silence says nothing new.
fresh_store
batch_side
stream_side
sql -c "UPDATE lane_progress SET offset_next = CASE lane WHEN 3 THEN 20 ELSE 10 END"
reconcile run
check "only one lane covers the run" gives 3 "SELECT string_agg(lane::text, ',') FROM reconcile_covered WHERE covered"
before=$(sql -c "SELECT count(*) FROM members")
sql -c "INSERT INTO definitions (segment_no, version, document, sha256, author, purpose_no, evaluation, merge)
        VALUES (1, 2, '{\"segmentId\":\"cart\",\"criteria\":[{\"event\":\"add\"}]}', '\x00', 'test', 1, 'hybrid', 'streaming_first')" \
    -c "INSERT INTO builds (segment_no, version, history) VALUES (1, 2, 'log')" \
    -c "UPDATE lane_progress SET offset_next = 30"
reconcile run
check "the others do not come to cover it any more" gives "$before" "SELECT count(*) FROM members"
check "the one goes on to" gives 3 "SELECT string_agg(lane::text, ',') FROM reconcile_covered WHERE covered"

finish
