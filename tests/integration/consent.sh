#!/usr/bin/env bash
# Consent that was given while the stream was away: all of it is taken in by one step, also when that is more than is asked for
# at once, and what follows more than is handed over at once; and lanes that ran apart announce nothing twice.
#
# usage: tests/integration/consent.sh BUILD_DIRECTORY
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/harness.sh
users=12000

sql() { psql -q -X -A -t -v ON_ERROR_STOP=1 "$MUSTER_STORE_ADMIN_CONNINFO" -c "$1"; }
stream() { "$build/muster-stream" run "$@" >>"$work/stream.log" 2>&1; }
grant() { # GRANTED INSTANT: for every user
    sql "SELECT cardinality(muster.consent_apply(array_agg(user_no), array_fill('marketing'::text, ARRAY[$users]),
                array_fill($1, ARRAY[$users]), array_fill($2::bigint, ARRAY[$users]), array_fill($2::bigint, ARRAY[$users]), 'test'))
         FROM muster.users" >/dev/null
}
records() { sql "SELECT count(*) || ' of ' || count(DISTINCT user_no) FROM muster.stream_records WHERE member"; }

deploy/local/stack up "$stack" 2>"$work/stack.log" || { cat "$work/stack.log" >&2; exit 3; }
eval "$(deploy/local/stack env "$stack")"
mkdir "$work/segments"
cat >"$work/segments/active.json" <<'END'
{ "segmentId": "active", "criteria": [{ "event": "login", "window": "30d" }],
  "purpose": "marketing", "lawfulBasis": "consent" }
END
cat >"$work/muster.conf" <<'END'
[time]
clock = event
[topics]
partitions = 2
[consent]
marketing = opt_in
END
export MUSTER_CONF=$work/muster.conf
"$build/muster-reconcile" migrate >/dev/null 2>&1
"$build/muster" segments apply "$work/segments" >/dev/null
awk -v users="$users" 'BEGIN { for (i = 1; i <= users; i++)
    printf "{\"type\":\"track\",\"messageId\":\"m%d\",\"userId\":\"u%d\",\"event\":\"login\",\"timestamp\":1750000000000}\n", i, i }' \
    >"$work/events.jsonl"
"$build/muster" produce --topic muster-events "$work/events.jsonl" >/dev/null 2>&1
check "members without consent: the stream reads them" stream --until 2025-06-16
check "and announces none" test "$(records)" = "0 of 0"
grant true 1750000001000
check "consent given to all while the stream was away is taken in" stream --until 2025-06-16
check "all are announced, once each" test "$(records)" = "$users of $users"

grant false 1750000002000
check "a withdrawal leaves none" test "$(records)" = "0 of 0"
grant true 1750000003000
check "one lane follows what is granted again" stream --lanes 0 --until 2025-06-16
check "then both" stream --until 2025-06-16
check "and announce nothing twice" test "$(records)" = "$users of $users"

# A step is bounded by what it holds as well: 100 messages of 900 KB are more than one.
awk 'BEGIN { pad = "0123456789"; while (length(pad) < 900000) pad = pad pad; pad = substr(pad, 1, 900000); for (i = 1; i <= 100; i++)
    printf "{\"type\":\"track\",\"messageId\":\"b%d\",\"userId\":\"u%d\",\"event\":\"login\",\"timestamp\":1751728000000,\"properties\":{\"x\":\"%s\"}}\n",
           i, i, pad }' >"$work/big.jsonl"
check "big messages come" sh -c "'$build/muster' produce --topic muster-events '$work/big.jsonl' >/dev/null 2>&1"
MUSTER_STREAM_STEP_MS=10000 check "and are read" stream --until 2025-07-06
check "in more steps than one" test "$(sql "SELECT sum(records) || ' ' || (max(steps) > 1) FROM
    (SELECT count(*) AS records, count(DISTINCT step) AS steps FROM muster.stream_records WHERE effective_at = 1751728000000 GROUP BY lane) l")" \
    = "100 true"

[ "$failed" -eq 0 ] || cat "$work/stream.log"
finish
