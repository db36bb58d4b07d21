#!/usr/bin/env bash
# muster segments retire on real servers: pipelines leave the segment out, its memberships end under a decision of their own, and
# applying it again brings it back.
#
# usage: tests/integration/retire.sh BUILD_DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/harness.sh
pid=

cleanup_first() { [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true; }
sql() { psql -q -X -A -t -F, -v ON_ERROR_STOP=1 "$MUSTER_STORE_ADMIN_CONNINFO" -c "SET search_path = muster" -c "$1"; }
gives() { # EXPECTED SQL
    local got
    got=$(sql "$2")
    [ "$got" = "$1" ] || { echo "     expected $1, got $got"; return 1; }
}
run() { "$build/$1" "${@:2}" >"$work/out" 2>"$work/err"; }
says() { grep -qF -- "$1" "$work/out" "$work/err"; }
members() { "$build/muster" members --format csv | tail -n +2 | cut -d, -f1,2 | paste -sd' ' -; }
within() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

deploy/local/stack up "$stack" 2>"$work/stack.log" || { cat "$work/stack.log" >&2; exit 3; }
eval "$(deploy/local/stack env "$stack")"
mkdir "$work/segments"
echo '{ "segmentId": "buyer", "criteria": [{ "event": "purchase" }] }' >"$work/segments/buyer.json"
echo '{ "segmentId": "active", "criteria": [{ "event": "login", "window": "30d" }] }' >"$work/segments/active.json"
echo '{ "segmentId": "both", "criteria": [{ "segment": "buyer" }, { "segment": "active" }] }' >"$work/segments/both.json"
printf '[time]\nclock = event\n[topics]\npartitions = 2\n[consent]\nmarketing = opt_out\n' >"$work/muster.conf"
export MUSTER_CONF=$work/muster.conf
"$build/muster-reconcile" migrate >/dev/null 2>&1
"$build/muster" segments apply "$work/segments" >/dev/null
for user in ann bob; do
    for event in purchase login; do
        printf '{"type":"track","messageId":"%s-%s","userId":"%s","event":"%s","timestamp":1750000000000}\n' $user $event $user $event
    done
done >"$work/events.jsonl"
run muster produce --topic muster-events "$work/events.jsonl"
check "the stream reads" run muster-stream run --until 2025-06-16
check "the night archives" run muster-batch load --kafka
check "and runs" run muster-batch run
check "a pass" run muster-reconcile run
check "all are members" test "$(members)" = "active,ann active,bob both,ann both,bob buyer,ann buyer,bob"

check "a segment that is referred to is not retired" exits 2 run muster segments retire buyer
check "it says by whom" says "buyer is still referred to by both"
check "nor is one that is not there" exits 4 run muster segments retire nobody
check "nothing has changed" gives 0 "SELECT count(*) FROM definitions WHERE retired_at IS NOT NULL"
check "one that nobody refers to is" run muster segments retire both --author Dana
check "it says so" says "both@1 is retired"
check "the control log has it" gives definition_retired,1,Dana \
    "SELECT kind, version, detail FROM control WHERE kind = 'definition_retired'"
check "nobody retires in no name" exits 2 run muster segments retire active --author " "
check "show has who it was" eval 'run muster segments show both && grep -q "^retired by *Dana$" "$work/out"'
check "not twice" exits 2 run muster segments retire both
check "a pass ends its memberships" run muster-reconcile run
check "and no other" test "$(members)" = "active,ann active,bob buyer,ann buyer,bob"
check "under a decision of their own" gives "exited,f,segment_retired,2" "SELECT change, member, decision, count(*) FROM history
    JOIN segments USING (segment_no) WHERE segment_id = 'both' AND history_id > 6 GROUP BY 1, 2, 3"
check "no earlier than they began" gives t "SELECT bool_and(valid_from >= 1750000000000) FROM history WHERE decision = 'segment_retired'"
check "in Redis too" test "$(redis-cli -u "$MUSTER_REDIS_URL" HEXISTS muster:u:ann both)$(redis-cli -u "$MUSTER_REDIS_URL" \
    HEXISTS muster:u:ann buyer)" = 01
check "explain says why" exits 1 run muster explain both ann
check "in words" says "the segment was taken out of use"
check "and when" says "retired, which ends all its memberships, at 20"
rows=$(sql "SELECT count(*) FROM history")
check "a whole pass again" run muster-reconcile run --all
check "changes nothing" gives "$rows" "SELECT count(*) FROM history"
at=$(sql "SELECT to_char(retired_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM definitions JOIN segments USING (segment_no)
    WHERE segment_id = 'both'")
check "list calls it retired, in force nowhere, and says since when" eval 'run muster segments list --format csv &&
    grep -q "^both,1,,.*,retired,$at$" "$work/out"'
check "and what is not retired in force" eval 'grep -q "^buyer,1,1,.*,in force,$" "$work/out"'
check "show says the same" eval 'run muster segments show both && grep -q "^in force *-$" "$work/out" && grep -q "^retired at *$at$" "$work/out"'
check "status too" eval 'run muster status --format csv && grep -q "^segment,both,retired since ${at%.*}Z,0 members$" "$work/out" &&
    grep -q "^segment,buyer,version 1 in force,\"build [0-9]*, run 1, 2 members\"$" "$work/out"'
check "status calls its build ended" eval 'run muster status --format csv && grep -q "^build,[0-9]*,ended,.*both version 1" "$work/out"'
check "now the other can be retired" run muster segments retire buyer
check "a run leaves both out" run muster-batch run
check "and has what is left" gives active "SELECT string_agg(segment_id, ',') FROM run_segments JOIN segments USING (segment_no)
    WHERE run_no = (SELECT max(run_no) FROM runs)"

# A stream that runs on takes the retirement and the return without being restarted.
"$build/muster-stream" run >"$work/stream.log" 2>&1 &
pid=$!
check "a stream begins" within 10 grep -q "lanes caught up.* 1 segments" "$work/stream.log"
check "the last is retired" run muster segments retire active
check "the stream goes on without any" within 10 grep -q "lanes caught up.* 0 segments" "$work/stream.log"
check "a pass" run muster-reconcile run
check "nobody is anything" test -z "$(members)"
check "they are applied again" run muster segments apply "$work/segments"
check "which wait, after none in force" eval 'run muster status --format csv &&
    grep -q "^segment,both,not in force yet,\"0 members, version 2 pending\"$" "$work/out"'
check "in the list too" eval 'run muster segments list --format csv && grep -q "^both,2,,.*,pending,$" "$work/out"'
check "as new versions" gives "active,2,buyer,2,both,2" "SELECT string_agg(segment_id || ',' || version, ',' ORDER BY segment_no)
    FROM definitions JOIN segments USING (segment_no) WHERE retired_at IS NULL"
check "the stream takes them up" within 10 grep -q "lanes caught up.* 3 segments" "$work/stream.log"
check "their builds are ready" within 10 gives 6 "SELECT count(*) FROM build_lanes JOIN builds USING (build_no) WHERE version = 2 AND ready"
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
pid=
check "the stream ends well" test "$status" -eq 0
check "the criteria are explained from the archive" run muster explain active ann --at 2025-06-16
check "which has all that the stream has read" eval '! says "the archive lacks"'
run muster produce --topic muster-events - <<<'{"type":"track","messageId":"n","userId":"ann","event":"login","timestamp":1750000000001}'
check "the stream reads on" run muster-stream run --until 2025-06-16
check "they are explained again" run muster explain active ann --at 2025-06-16
check "with what the archive lacks" says "the archive lacks 1 message of this user's lane that the stream has read"
check "a pass" run muster-reconcile run
check "all are members again" test "$(members)" = "active,ann active,bob both,ann both,bob buyer,ann buyer,bob"
check "of the new versions" gives 2,6 "SELECT version, count(*) FROM members GROUP BY 1"

[ "$failed" -eq 0 ] || { cat "$work/stream.log"; sql "SELECT * FROM history"; }
finish
