#!/usr/bin/env bash
# Production's clock: events of this moment, time.clock = wall. What nobody sends an event for must happen all the same: an
# absence matures and a membership ends while the log is idle, because idle partitions advance by the wall clock.
#
# usage: tests/integration/wall.sh BUILD_DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/harness.sh
stream=
watch=

cleanup_first() {
    for pid in $stream $watch; do
        kill -KILL "$pid" 2>/dev/null || true
    done
}
within() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}
is_member() { "$build/muster" members "$1" --format csv | cut -d, -f2 | grep -qx "$2"; }
is_not_member() { ! is_member "$@"; }
in_redis() { [ "$(redis-cli -u "$MUSTER_REDIS_URL" HEXISTS "muster:u:$2" "$1")" = 1 ]; }
not_in_redis() { [ "$(redis-cli -u "$MUSTER_REDIS_URL" HEXISTS "muster:u:$2" "$1")" = 0 ]; }
send() { # USER EVENT: an event of this moment
    printf '{"type":"track","messageId":"%s","userId":"%s","event":"%s","timestamp":%s}\n' "$RANDOM$RANDOM" "$1" "$2" \
        "$(($(date +%s%N) / 1000000))" >"$work/event.jsonl"
    "$build/muster" produce --topic muster-events "$work/event.jsonl" >/dev/null 2>&1
}

deploy/local/stack up "$stack" 2>"$work/stack.log" || { cat "$work/stack.log" >&2; exit 3; }
eval "$(deploy/local/stack env "$stack")"
mkdir "$work/segments"
cat >"$work/segments/left.json" <<'EOF'
{ "segmentId": "left", "criteria": [{ "event": "add_to_cart", "window": "2s", "condition": "no_purchase_after" }],
  "membershipDuration": "4s" }
EOF
cat >"$work/segments/active.json" <<'EOF'
{ "segmentId": "active", "criteria": [{ "event": "login", "window": "3s" }] }
EOF
cat >"$work/muster.conf" <<'EOF'
[time]
watermark_bound = 1s
[reconcile]
grace = 2s
[consent]
marketing = opt_out
EOF
export MUSTER_CONF=$work/muster.conf
"$build/muster-reconcile" migrate >/dev/null 2>&1
"$build/muster" segments apply "$work/segments" >/dev/null
"$build/muster-stream" run >"$work/stream.log" 2>&1 &
stream=$!
"$build/muster-reconcile" watch >"$work/watch.log" 2>&1 &
watch=$!

send ann login
check "an event makes a member within two seconds" within 2 is_member active ann
check "and Redis has it" within 2 in_redis active ann
check "the membership ends by time alone" within 8 is_not_member active ann
check "also in Redis" within 3 not_in_redis active ann
send bob add_to_cart
check "a cart is not abandoned yet" is_not_member left bob
check "an absence matures while nobody sends anything" within 6 is_member left bob
send bob purchase
check "a purchase ends it at once" within 3 is_not_member left bob
send cid add_to_cart
check "another matures" within 6 is_member left cid
check "and its lifetime ends" within 9 is_not_member left cid
kill -TERM "$stream" "$watch"
status=0
wait "$stream" || status=$?
check "the stream ends with 0 on SIGTERM" test "$status" -eq 0
status=0
wait "$watch" || status=$?
check "so does the reconciler" test "$status" -eq 0
stream=
watch=
"$build/muster-batch" load --kafka >/dev/null 2>&1
check "the night's batch runs on the wall clock" sh -c "'$build/muster-batch' run >'$work/run.log' 2>&1"
sql() { psql -q -X -A -t -v ON_ERROR_STOP=1 "$MUSTER_STORE_ADMIN_CONNINFO" -c "$1"; }
check "as of a moment ago" test "$(sql "SELECT extract(epoch FROM now()) * 1000 - as_of BETWEEN 900 AND 20000 FROM muster.runs")" = t
check "every change of the history came from the stream" test \
    "$(sql "SELECT count(*) > 5 AND bool_and(decision IN ('stream_only', 'expired')) FROM muster.history")" = t
check "no row of the history lies ahead of its writing" test \
    "$(sql "SELECT count(*) FROM muster.history h JOIN muster.blocks b ON h.history_id <= b.last_id
            WHERE h.valid_from > extract(epoch FROM b.recorded_at) * 1000 + 1000")" = 0

[ "$failed" -eq 0 ] || { cat "$work/stream.log" "$work/watch.log" "$work/run.log"; sql "SELECT * FROM muster.history"; }
finish
