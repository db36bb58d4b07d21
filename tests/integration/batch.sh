#!/usr/bin/env bash
# muster-batch on real servers: load and run with bad input, kills and resumption.
#
# usage: tests/integration/batch.sh BUILD_DIRECTORY      MUSTER_STACK_DIR names a stack that is up already
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/harness.sh

batch() { "$build/muster-batch" "$@" >"$work/out" 2>"$work/err"; }
muster() { "$build/muster" "$@" >"$work/out" 2>"$work/err"; }
says() { grep -q -- "$1" "$work/out" "$work/err"; }
sql() { psql -q -X -A -t -F, -v ON_ERROR_STOP=1 "$MUSTER_STORE_ADMIN_CONNINFO" -c "SET search_path = muster" -c "$1"; }
gives() { # EXPECTED SQL
    local got
    got=$(sql "$2")
    [ "$got" = "$1" ] || { echo "     expected $1, got $got"; return 1; }
}

fresh_store() {
    local database=${MUSTER_STORE_ADMIN_CONNINFO/ user=muster_owner/}
    psql -q -X -v ON_ERROR_STOP=1 "${database/dbname=muster/dbname=postgres} user=postgres" \
        -c 'DROP DATABASE IF EXISTS muster WITH (FORCE)' -c 'CREATE DATABASE muster OWNER muster_owner' 2>/dev/null
    "$build/muster-reconcile" migrate >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
}

# Kills the command after a random time of up to LIMIT ms, three times; then it must end well.
with_kills() { # LIMIT_MS COMMAND...
    local limit=$1 i wait_ms pid
    shift
    for i in 1 2 3; do
        "$@" >/dev/null 2>&1 &
        pid=$!
        wait_ms=$((10 + RANDOM % limit))
        sleep "$(printf '0.%03d' "$wait_ms")"
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    "$@" >"$work/out" 2>"$work/err"
}

RANDOM=7
deploy/local/stack up "$stack" 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
eval "$(deploy/local/stack env "$stack")"
topic=muster-batch-$$
export MUSTER_CONF=/dev/null MUSTER_TIME_CLOCK=event MUSTER_CONSENT_MARKETING=opt_out MUSTER_TOPICS_EVENTS=$topic-events \
    MUSTER_TOPICS_PROFILES=$topic-profiles MUSTER_TOPICS_CONSENT=$topic-consent
fresh_store

# ---- files --------------------------------------------------------------------------------------------------------

cat >"$work/mixed.jsonl" <<'LINES'
{"type":"track","userId":"ann","event":"purchase","timestamp":"2026-01-01T10:00:00Z","properties":{"total":5}}

not json
{"type":"track","userId":"","event":"purchase","timestamp":"2026-01-01T10:00:00Z"}
{"type":"identify","userId":"bob","messageId":"i1","timestamp":"2026-01-02T10:00:00Z","traits":{"vip":true}}
{"type":"consent","userId":"bob","timestamp":"2026-01-03T10:00:00Z","purposes":{"marketing":false,"profiling":true}}
LINES
: >"$work/empty.jsonl"
printf 'user = Customer\n' >"$work/broken.map"
printf 'A,B\n1,2\n' >"$work/small.csv"

check "no command line is complete without FILE or --kafka" exits 2 batch load
check "a missing file exits 3" exits 3 batch load "$work/none.jsonl"
check "a broken mapping exits 4" exits 4 batch load "$work/small.csv" --map "$work/broken.map"
check "a run before anything is applied exits 2" exits 2 batch run
check "it says what to do" says "muster segments apply"
check "an empty file loads" batch load "$work/empty.jsonl"
check "a file with broken lines loads" batch load "$work/mixed.jsonl"
check "it counts both" says "3 events archived, 2 quarantined"
check "quarantine has line and reason" gives "3,not_json
4,user" "SELECT line, reason FROM quarantine ORDER BY line"
check "consent is applied" gives "marketing,f
profiling,t" "SELECT purpose, granted FROM consent JOIN purposes USING (purpose_no) JOIN user_ids USING (user_no)
              WHERE user_id = 'bob' ORDER BY 1"
check "loading it again succeeds" batch load "$work/mixed.jsonl"
check "and does nothing" says "already loaded"
check "standard input is the same file" eval 'batch load - <"$work/mixed.jsonl" && says "already loaded"'
check "each load is announced once" gives 2 "SELECT count(*) FROM control WHERE kind = 'load_completed'"

gzip -dc tests/data/retail/online_retail.csv.gz >"$work/retail.csv"
check "a load that is killed goes on where it was" with_kills 60 "$build/muster-batch" load "$work/retail.csv" \
    --map tests/data/retail/retail.map
check "every line is there once" gives 23959,23959,200 "SELECT count(*), count(DISTINCT line),
    (SELECT count(*) FROM quarantine WHERE load_no = max(a.load_no)) FROM archive a WHERE load_no = (SELECT max(load_no) FROM loads)"
check "a row sits in the lane of its user" gives 0 "SELECT count(*) FROM archive a JOIN users u USING (user_no) WHERE a.lane <> u.lane"

# ---- the log ------------------------------------------------------------------------------------------------------

head -n 3000 "$work/retail.csv" >"$work/part.csv"
sed -i 's/17850\.0/99001.0/' "$work/part.csv"
check "produce" muster produce --topic "$topic-events" --map tests/data/retail/retail.map "$work/part.csv"
sent=$(awk -F, 'NR > 1 && $(NF - 1) != ""' "$work/part.csv" | wc -l)
check "the log is archived in pieces" batch load --kafka --max-messages 100
check "it says that there is more" says "not read to the end"
check "and after kills" with_kills 300 "$build/muster-batch" load --kafka
check "each message once" gives "$sent,$sent" "SELECT count(*), count(DISTINCT (topic_no, lane, log_offset)) FROM archive
    WHERE topic_no IS NOT NULL"
check "progress is the end of the log" gives "$sent,t" "SELECT sum(offset_next), bool_and(at_end) FROM archive_progress"
sql "UPDATE archive_progress SET offset_next = offset_next + 5 WHERE topic_no = 0 AND lane = 1"
check "a log that is not the archive's is refused" exits 4 batch load --kafka
check "it names topic and partition" says "$topic-events partition 1 ends at offset"
sql "UPDATE archive_progress SET offset_next = offset_next - 5 WHERE topic_no = 0 AND lane = 1"

# A stream that applies changes of the same user holds one of the loader's locks and waits for another: the store gives up the
# loader's transaction, since it looks for deadlocks sooner there.
check "consent is not of the future" exits 2 muster consent set ned profiling granted --at 9999-01-01
check "a user is known" muster consent set ned profiling granted --at 2026-01-01
cat >"$work/consent.jsonl" <<'LINES'
{"type":"consent","userId":"ned","timestamp":"2026-01-03T10:00:00Z","purposes":{"marketing":false}}
{"type":"delete","userId":"ned","timestamp":"2026-01-04T10:00:00Z"}
LINES
check "who withdraws and leaves" muster produce --topic "$topic-consent" "$work/consent.jsonl"
psql -q -X "${MUSTER_STORE_ADMIN_CONNINFO/user=muster_owner/user=postgres}" >"$work/deadlock" 2>&1 <<'SQL' &
SET search_path = muster;
SET deadlock_timeout = '30s';
DO $$ BEGIN
    PERFORM FROM consent JOIN purposes USING (purpose_no) WHERE purpose = 'profiling'
        AND user_no = (SELECT user_no FROM user_ids WHERE user_id = 'ned') FOR UPDATE OF consent;
    FOR i IN 1 .. 200 LOOP
        PERFORM pg_stat_clear_snapshot();
        EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'muster_batch' AND wait_event_type = 'Lock');
        PERFORM pg_sleep(0.05);
    END LOOP;
    UPDATE control_head SET control_no = control_no;
END $$;
SQL
sleep 0.5
check "a load that the store gives up tries again" batch load --kafka
wait $! || cat "$work/deadlock"
check "it says so" says "deadlock detected.*trying again"
check "each change is there once" gives "marketing,load,t
marketing,delete,f
profiling,operator,t
profiling,delete,t" "SELECT purpose, source, effective FROM consent_changes JOIN purposes USING (purpose_no)
    JOIN user_ids USING (user_no) WHERE user_id = 'ned' ORDER BY purpose, changed_at"

# ---- runs ---------------------------------------------------------------------------------------------------------

segments=tests/data/retail/segments
check "segments apply" muster segments apply "$segments"
instant() { echo "to_char(timestamp 'epoch' + $1 * interval '1 ms', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"; }
newest() { sql "SELECT s.segment_id, user_id, $(instant entered_at), $(instant valid_until) FROM batch_records b JOIN segments s USING (segment_no)
    JOIN user_ids USING (user_no) WHERE member AND run_no = (SELECT max(run_no) FROM runs WHERE state = 'activated')" |
    LC_ALL=C sort; }
check "a run of unknown segments exits 4" exits 4 batch run --segments nobody
check "a run as of the future exits 2" exits 2 batch run --as-of 9999-01-01
check "nothing to resume exits 2" exits 2 batch run --resume
check "a run" batch run --as-of 2011-12-10
newest >"$work/undisturbed"
check "has members" test "$(wc -l <"$work/undisturbed")" -gt 300
sql "SELECT message FROM archive ORDER BY load_no NULLS LAST, line, topic_no, lane, log_offset" >"$work/events.jsonl"
muster eval --segments "$segments" --events "$work/events.jsonl" --as-of 2011-12-10
tail -n +2 "$work/out" | LC_ALL=C sort >"$work/eval"
check "which are those of muster eval" cmp "$work/eval" "$work/undisturbed"
# Explains the first member of a segment (an extended expression of its id) from the archive, as muster eval does.
explain_first() {
    IFS=, read -r segment user _ <<<"$(grep -E "^$1," "$work/eval")"
    muster eval --segments "$segments" --events "$work/events.jsonl" --as-of 2011-12-10 --explain "$user" --segment "$segment"
    cp "$work/out" "$work/explained"
    check "explain a member of $segment from the archive" muster explain "$segment" "$user" --at 2011-12-10
    check "as muster eval does" cmp -s "$work/explained" <(grep -v '^by version 1, from [0-9]* archived messages of the user, before consent$' "$work/out")
}
explain_first r6_top_decile
check "which says how it compares with all users" says "percentile"
explain_first '[^,]*'
check "which says what counts" says "counting"
check "one who is none yet: exit 1" exits 1 muster explain "$segment" "$user" --at 2000-01-01 --format json
check "as JSON" says '"reason":"unknown"'
check "a format that there is not" exits 2 muster explain "$segment" "$user" --at 2000-01-01 --format csv
check "... and one without an instant" exits 2 muster explain "$segment" "$user" --format json
for i in 1 2 3; do
    "$build/muster-batch" run --as-of 2011-12-10 >/dev/null 2>&1 &
    pid=$!
    sleep "$(printf '0.%03d' $((20 + RANDOM % 150)))"
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
done
check "a run after kills" batch run --as-of 2011-12-10
newest >"$work/killed"
check "has the same records" cmp -s "$work/undisturbed" "$work/killed"
check "no run is left half" gives 0 "SELECT count(*) FROM runs WHERE state = 'running'"
check "every activated run was announced" gives t "SELECT (SELECT count(*) FROM runs WHERE state = 'activated') =
    (SELECT count(*) FROM control WHERE kind = 'run_activated')"
check "a run as of the past" batch run --as-of 2011-06-01 --segments r1_recent_buyers
check "holds the chosen segment only" gives r1_recent_buyers "SELECT string_agg(segment_id, ',') FROM run_segments
    JOIN segments USING (segment_no) WHERE run_no = (SELECT max(run_no) FROM runs)"
user=$(head -n 1 "$work/undisturbed" | cut -d, -f2)
check "a member withdraws consent" muster consent set "$user" marketing withdrawn --at 2011-12-01
check "no record of that user can be read" gives 0 "SELECT count(*) FROM batch_records JOIN user_ids USING (user_no) WHERE user_id = '$user'"
check "a run after it" batch run --as-of 2011-12-10
check "writes none" gives t,t "SELECT count(*) FILTER (WHERE user_id = '$user') = 0, count(*) > 300
    FROM batch_journal JOIN user_ids USING (user_no) WHERE run_no = (SELECT max(run_no) FROM runs)"
check "runs lists them" batch runs --format csv
check "old records are dropped, at most three runs stay" gives t "SELECT count(*) <= 3 FROM pg_inherits
    WHERE inhparent = 'muster.batch_journal'::regclass"
sql "DELETE FROM archive WHERE load_no = (SELECT max(load_no) FROM loads) AND line = (SELECT max(line) FROM archive)"
check "an archive that lost rows is refused" exits 70 batch run
check "it names the load" says "load .* wrote"

# ---- order --------------------------------------------------------------------------------------------------------

sql "INSERT INTO builds (segment_no, version, history) SELECT segment_no, version, 'log' FROM definitions LIMIT 1"
check "files after the first build are refused" exits 2 batch load "$work/part.csv" --map tests/data/retail/retail.map
check "it says what to do" says "muster produce"
check "and leaves no load behind" gives 0 "SELECT count(*) FROM loads WHERE source LIKE '%part.csv'"
check "other settings than the store's exit 2" eval 'MUSTER_TIME_CLOCK=wall exits 2 batch runs'
check "an unreachable store exits 3" eval \
    'MUSTER_STORE_CONNINFO="host=127.0.0.1 port=1 dbname=muster" exits 3 batch runs'
check "a full disk exits 70" exits 70 eval '"$build/muster-batch" runs >/dev/full 2>"$work/err"'

# ---- old records --------------------------------------------------------------------------------------------------

fresh_store
mkdir "$work/two"
for id in one two; do
    echo "{\"segmentId\":\"$id\",\"criteria\":[{\"event\":\"purchase\"}]}" >"$work/two/$id.json"
done
check "two segments" muster segments apply "$work/two"
check "a load" batch load "$work/mixed.jsonl"
check "a run of the first" batch run --segments one
for _ in 1 2 3 4 5; do batch run --segments two; done
check "its records stay while it is the newest that has the segment" gives 1,1 "SELECT count(*), count(DISTINCT run_no) FROM batch_records
    JOIN segments USING (segment_no) WHERE segment_id = 'one'"
check "older ones of the second go" gives 3 "SELECT count(DISTINCT run_no) FROM batch_records JOIN segments USING (segment_no)
    WHERE segment_id = 'two'"

# ---- time zones ---------------------------------------------------------------------------------------------------

version=$("$build/muster" eval --segments "$work/two" --events "$work/empty.jsonl" --stats 2>&1 | sed -n 's/^time zones \(.*\), not needed$/\1/p')
check "eval says which time zones this machine has" test -n "$version"
check "every run says with which it was computed" gives t "SELECT bool_and(tz_version = '$version') FROM runs"
check "runs shows it" eval 'batch runs --format csv && says ",$version\$"'
crash() { # the newest run, as if it had been killed where the time zones were others
    sql "UPDATE runs SET state = 'running', tz_version = 'older' WHERE run_no = (SELECT max(run_no) FROM runs);
         UPDATE run_steps SET state = 'running', finished_at = NULL WHERE step = 'activate' AND run_no = (SELECT max(run_no) FROM runs)"
}
crash
check "where no calendar is read, a run goes on under others" batch run --segments two --resume
echo '{"segmentId":"week","criteria":[{"event":"purchase","window":{"calendar":"week","zone":"Europe/Berlin"}}]}' >"$work/two/week.json"
echo '{"segmentId":"by_week","criteria":[{"segment":"week"}]}' >"$work/two/by_week.json"
check "two more segments" muster segments apply "$work/two"
check "a run of one that refers to calendar weeks" batch run --segments by_week
crash
check "does not" exits 2 batch run --segments by_week --resume
check "it says why" says 'began with version \"older\" of the time zone database, this machine has'
check "another begins" batch run --segments by_week
check "and the old one is given up" gives abandoned,activated "SELECT string_agg(state, ',' ORDER BY run_no) FROM
    (SELECT run_no, state FROM runs ORDER BY run_no DESC LIMIT 2) r"

# ---- consent ------------------------------------------------------------------------------------------------------

check "a run whose purposes are granted says nothing of them" eval '! says "nobody has granted"'
echo '{"segmentId":"letter","purpose":"letters","criteria":[{"event":"purchase"}]}' >"$work/two/letter.json"
check "a segment for a purpose that nobody has granted" muster segments apply "$work/two"
check "its run" batch run
check "says why it has no members" says "nobody has granted letters, so segments that need it"
check "with a grant" muster consent set ann letters granted --at 2026-01-01
check "another run" batch run
check "says nothing" eval '! says "nobody has granted"'

finish
