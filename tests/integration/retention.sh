#!/usr/bin/env bash
# Kafka's retention deletes what a lane has read. A stream that rebuilds its states without these messages must not take anybody
# out for it: what still matters of them is looked for in the archive, or a new build begins beside the one in force.
#
# usage: tests/integration/retention.sh BUILD_DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/harness.sh

sql() { psql -q -X -A -t -F, -v ON_ERROR_STOP=1 "$MUSTER_STORE_ADMIN_CONNINFO" -c "SET search_path = muster" -c "$1"; }
gives() { # EXPECTED SQL
    local got
    got=$(sql "$2")
    [ "$got" = "$1" ] || { echo "     expected $1, got $got"; return 1; }
}
says() { grep -q -- "$1" "$work/err"; }
stream() { "$build/muster-stream" run "$@" >"$work/out" 2>"$work/err"; }
batch() { "$build/muster-batch" "$@" >"$work/out" 2>"$work/err"; }
pass() { "$build/muster-reconcile" run >"$work/pass" 2>&1; }
members() { "$build/muster" members "$1" --format csv | tail -n +2 | cut -d, -f2 | paste -sd' ' -; }
day=86400000
event() { # USER EVENT DAY: on that day of the data
    printf '{"type":"track","messageId":"%s-%s-%s","userId":"%s","event":"%s","timestamp":%s}\n' "$1" "$2" "$3" "$1" "$2" \
        $((1750000000000 + $3 * day))
}
produce() { "$build/muster" produce --topic "$MUSTER_TOPICS_EVENTS" "$1" >"$work/out" 2>"$work/err"; }
delete() { "$build/delete_records" "$MUSTER_KAFKA_BOOTSTRAP_SERVERS" "$MUSTER_TOPICS_EVENTS" 0 "$1" >/dev/null; }
scene=0
other=
cleanup_first() { [ -z "$other" ] || kill -KILL "$other" 2>/dev/null || true; }
fresh() { # a store and topics of their own
    local database=${MUSTER_STORE_ADMIN_CONNINFO/ user=muster_owner/}
    scene=$((scene + 1))
    export MUSTER_TOPICS_EVENTS=events-$scene MUSTER_TOPICS_PROFILES=profiles-$scene MUSTER_TOPICS_CONSENT=consent-$scene
    psql -q -X -v ON_ERROR_STOP=1 "${database/dbname=muster/dbname=postgres} user=postgres" \
        -c 'DROP DATABASE IF EXISTS muster WITH (FORCE)' -c 'CREATE DATABASE muster OWNER muster_owner' 2>/dev/null
    "$build/muster-reconcile" migrate >/dev/null 2>&1
    "$build/muster" segments apply "$work/segments" >/dev/null
}
builds() { sql "SELECT string_agg(segment_id || ':' || life, ' ' ORDER BY segment_id, life) FROM builds JOIN segments USING (segment_no)"; }
in_force() { sql "SELECT life FROM in_force JOIN builds USING (build_no) JOIN segments ON segments.segment_no = in_force.segment_no
    WHERE segment_id = '$1'"; }

mkdir "$work/segments"
echo '{ "segmentId": "buyer", "criteria": [{ "event": "purchase" }] }' >"$work/segments/buyer.json"
echo '{ "segmentId": "active", "criteria": [{ "event": "login", "window": "3d" }] }' >"$work/segments/active.json"
cat >"$work/muster.conf" <<'END'
[time]
clock = event
[topics]
partitions = 1
[consent]
marketing = opt_out
END
export MUSTER_CONF=$work/muster.conf
# Offsets 0 to 4; the users of 0 to 2 are to stay buyers when these are gone.
{ event ann purchase 0; event ann login 0; event bob purchase 1; event bob login 9; event cid login 15; } >"$work/first.jsonl"
event dan purchase 16 >"$work/second.jsonl"
event eve purchase 17 >"$work/third.jsonl"

# ---- the log alone ------------------------------------------------------------------------------------------------

deploy/local/stack up "$stack" 2>"$work/stack.log" || { cat "$work/stack.log" >&2; exit 3; }
eval "$(deploy/local/stack env "$stack")"
export MUSTER_STREAM_HISTORY=log
fresh
check "the log is produced" produce "$work/first.jsonl"
check "the stream reads it" stream --until 2025-07-01
pass
check "two have bought" test "$(members buyer)" = "ann bob"
check "retention deletes what was read" delete 3
check "more comes" produce "$work/second.jsonl"
check "the stream goes on" stream --until 2025-07-02
check "it names the offsets that are gone" says "offsets \[0, 3) of topic events-$scene, partition 0"
check "a build begins for what they still matter to, and for that alone" test "$(builds)" = "active:1 buyer:1 buyer:2"
check "nobody has left" gives 0 "SELECT count(*) FROM stream_records WHERE NOT member AND segment_no =
    (SELECT segment_no FROM segments WHERE segment_id = 'buyer')"
pass
check "the lists stand" test "$(members buyer)" = "ann bob"
check "what looks back less far goes on" test "$(members active)" = "cid"
check "status shows the build that waits" eval '"$build/muster" status >"$work/out" && grep -q "build .*buyer version 1.*life 2" "$work/out"'
check "starting again begins no other" stream --until 2025-07-02
check "and says nothing of it" eval '! says "are gone"'
check "there are as many" test "$(builds)" = "active:1 buyer:1 buyer:2"
check "the night archives what is left" batch load --kafka
check "and runs" batch run
pass
check "then the new build is in force" test "$(in_force buyer)" = 2
check "two have left by the batch's word" gives batch_absent,batch_absent "SELECT string_agg(decision, ',') FROM history
    WHERE change = 'exited' AND segment_no = (SELECT segment_no FROM segments WHERE segment_id = 'buyer')"
check "more comes again" produce "$work/third.jsonl"
check "the stream goes on with the new build" stream --until 2025-07-03
check "another night" batch load --kafka
check "and a run" batch run
pass
check "bring in who bought since" test "$(members buyer)" = "dan"

# ---- an archive beside it -----------------------------------------------------------------------------------------

fresh
produce "$work/first.jsonl"
check "the stream reads another log" stream --until 2025-07-01
check "which is archived" batch load --kafka
pass
delete 3
check "a stream that leaves the archive out is refused" exits 2 stream --until 2025-07-02
check "it names the segment and the offsets" says "buyer@1 rests on offsets \[0, 3) of topic events-$scene, partition 0"
check "and what to do" says "set it to archive"
produce "$work/second.jsonl"
export MUSTER_STREAM_HISTORY=archive
check "with the archive it goes on" stream --until 2025-07-02
pass
check "with the same builds" test "$(builds)" = "active:1 buyer:1"
check "and the same members" test "$(members buyer)" = "ann bob dan"
delete 6
check "a gap behind the archive" produce "$work/third.jsonl"
check "is a cut as well" stream --until 2025-07-03
check "which is named" says "offsets \[0, 6) of topic events-$scene, partition 0"
pass
check "and takes nobody out" test "$(members buyer)" = "ann bob dan"

# ---- an archive that began too late -------------------------------------------------------------------------------

fresh
produce "$work/first.jsonl"
check "a stream that finds no archive reads the log" stream --until 2025-07-01
pass
delete 3
check "an archive begins behind the cut" batch load --kafka
produce "$work/second.jsonl"
check "the stream goes on with it" stream --until 2025-07-02
check "and says what is gone" says "offsets \[0, 3) of topic events-$scene, partition 0"
pass
check "nobody has left for that" test "$(members buyer)" = "ann bob"

# ---- files --------------------------------------------------------------------------------------------------------

fresh
check "a file is loaded" batch load "$work/first.jsonl"
check "the stream begins with it" stream --until 2025-07-01
pass
check "its users have bought" test "$(members buyer)" = "ann bob"
MUSTER_STREAM_HISTORY=log check "a stream that leaves files out is refused" exits 2 stream --until 2025-07-02
check "it says so" says "rests on files"
check "and goes on with them" stream --until 2025-07-02

# ---- two processes ------------------------------------------------------------------------------------------------

within() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}
export MUSTER_STREAM_HISTORY=log MUSTER_TOPICS_PARTITIONS=2
fresh
for i in 1 2 3 4 5 6 7 8; do event "user$i" purchase 0; done >"$work/eight.jsonl"
produce "$work/eight.jsonl"
check "two lanes are read" stream --until 2025-07-01
pass
"$build/muster-stream" run --lanes 1 >"$work/other" 2>&1 &
other=$!
check "one goes on by itself" within 10 grep -q "lanes caught up" "$work/other"
delete 1
check "the other has lost a message" stream --lanes 0 --until 2025-07-02
check "and says so" says "buyer@1: build"
check "the first begins the build as well" within 10 gives 2 "SELECT count(*) FROM build_lanes JOIN builds USING (build_no)
    JOIN segments USING (segment_no) WHERE segment_id = 'buyer' AND life = 2 AND ready"
check "of which its lane has lost nothing" gives "0,f
1,t" "SELECT lane, complete_from IS NULL FROM build_lanes JOIN builds USING (build_no) JOIN segments USING (segment_no)
    WHERE segment_id = 'buyer' AND life = 2 ORDER BY lane"
kill -TERM "$other"
wait "$other" || true
other=
pass
check "and all stay members" test "$(members buyer | wc -w)" -eq 8
unset MUSTER_STREAM_HISTORY MUSTER_TOPICS_PARTITIONS

# ---- time zones ---------------------------------------------------------------------------------------------------

fresh
produce "$work/first.jsonl"
check "a stream" stream --until 2025-07-01
check "each lane says with which time zones its builds are evaluated" gives t "SELECT bool_and(tz_version <> '') FROM build_lanes"
echo '{ "segmentId": "today", "criteria": [{ "event": "login", "window": { "calendar": "day", "zone": "Asia/Tokyo" } }] }' \
    >"$work/segments/today.json"
"$build/muster" segments apply "$work/segments" >/dev/null
check "a definition with a calendar" stream --until 2025-07-02
sql "UPDATE build_lanes SET tz_version = 'older'"
check "under other time zones" stream --until 2025-07-02
check "the stream says what they concern" says 'segment today was evaluated with version "older"'
check "and nothing else" eval '! says "segment buyer was"'
check "and goes on with its own" gives 0 "SELECT count(*) FROM build_lanes WHERE tz_version = 'older'"
check "which status shows" eval '"$build/muster" status >"$work/out" && grep -q "build .*today version 1.*time zones" "$work/out"'

[ "$failed" -eq 0 ] || cat "$work/err"
finish
