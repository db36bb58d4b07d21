#!/usr/bin/env bash
# An event that comes for state that is gone: the late topic gets it, its user becomes uncertain for what it could change, and a
# start of the stream, which rebuilds the state, applies it. The same for copies that come in another order than the log's.
#
# usage: tests/integration/late.sh BUILD_DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/harness.sh

sql() { psql -q -X -A -t -F, -v ON_ERROR_STOP=1 "$MUSTER_STORE_ADMIN_CONNINFO" -c "SET search_path = muster" -c "$1"; }
says() { grep -q -- "$1" "$work/err"; }
stream() { "$build/muster-stream" run "$@" >"$work/out" 2>"$work/err"; }
event() { # EVENT NUMBER HOUR
    printf '{"type":"track","messageId":"%s-%s","userId":"ann","event":"%s","timestamp":%s}\n' "$1" "$2" "$1" \
        $((1750000000000 + $3 * 3600000))
}
# The newest record: member or not, and until when it is uncertain.
newest() { # SEGMENT
    sql "SELECT member, uncertain_until FROM stream_records JOIN segments USING (segment_no)
         WHERE segment_id = '$1' ORDER BY step DESC, seq DESC LIMIT 1"
}
never=9223372036854775807
uncertain() { "$build/muster" status --format csv | sed -n 's/^uncertain,\([^,]*,[^,]*\),.*/\1/p'; }
late() { kcat -q -b "$MUSTER_KAFKA_BOOTSTRAP_SERVERS" -t late-events -C -o beginning -e -f '%k %h %s\n' 2>"$work/kcat.err"; }

mkdir "$work/segments"
echo '{ "segmentId": "buyer", "criteria": [{ "event": "purchase" }] }' >"$work/segments/buyer.json"
echo '{ "segmentId": "active", "criteria": [{ "event": "login", "window": "3d" }] }' >"$work/segments/active.json"
cat >"$work/muster.conf" <<'END'
[time]
clock = event
allowed_lateness = 2d
[topics]
partitions = 1
late = late-events
[stream]
history = log
[consent]
marketing = opt_out
END
export MUSTER_CONF=$work/muster.conf
for ((i = 0; i < 40; i++)); do event login "$i" $((i * 12)); done >"$work/events.jsonl"
event purchase 1 430 >>"$work/events.jsonl"
event purchase 2 24 >>"$work/events.jsonl"
event login 3 36 >>"$work/events.jsonl"

deploy/local/stack up "$stack" 2>"$work/stack.log" || { cat "$work/stack.log" >&2; exit 3; }
eval "$(deploy/local/stack env "$stack")"
"$build/muster-reconcile" migrate >/dev/null 2>&1
"$build/muster" segments apply "$work/segments" >/dev/null
check "the log is produced" "$build/muster" produce --topic muster-events "$work/events.jsonl"
check "the stream reads it" stream --until 2025-07-05T14:00:00Z
check "it says that two events came too late, of which one may be a copy" says "2 too late"
from="reason=late beyond state,topic=muster-events,partition=0,offset"
check "they are in the late topic, and say where they came from" \
    test "$(late)" = "ann $from=41 $(event purchase 2 24)"$'\n'"ann $from=42 $(event login 3 36)"
check "the user is a member by the purchase in time, but uncertain" test "$(newest buyer)" = "t,$never"
check "what the event cannot change is not" test "$(newest active)" = "t,"
"$build/muster-reconcile" run >/dev/null 2>&1
check "status counts the user" test "$(uncertain)" = "buyer,1 users"
check "a start rebuilds the state" stream --until 2025-07-05T15:00:00Z
check "nothing is late to it" says "0 too late"
"$build/muster-reconcile" run >/dev/null 2>&1
check "nobody is uncertain any more" test -z "$(uncertain)"
check "and the user is certain" test "$(newest buyer)" = "t,"
check "since the earlier purchase" test "$(sql "SELECT entered_at FROM stream_records
    JOIN segments USING (segment_no) WHERE segment_id = 'buyer' ORDER BY step DESC, seq DESC LIMIT 1")" = 1750086400000

# One message id in two topics, with other content: the copy in the topic of events counts, but the stream meets the other one first.
copy() { printf '{"type":"track","messageId":"x","userId":"ben","event":"%s","timestamp":1751600000000}\n' "$1" >"$work/copy.jsonl"; }
copy login
"$build/muster" produce --topic muster-profiles "$work/copy.jsonl" 2>/dev/null
check "the stream reads a message" stream --until 2025-07-05T16:00:00Z
check "its user is active" test "$(newest active)" = "t,"
copy purchase
"$build/muster" produce --topic muster-events "$work/copy.jsonl" 2>/dev/null
check "it reads a copy that the log has before it" stream --until 2025-07-05T17:00:00Z
check "now it does not know whether the user is active" test "$(newest active)" = "t,$never"
check "or has bought" test "$(newest buyer)" = "f,$never"
check "a start reads them in order" stream --until 2025-07-05T18:00:00Z
check "the user has bought" test "$(newest buyer)" = "t,"
check "and is not active" test "$(newest active)" = "f,"
finish
