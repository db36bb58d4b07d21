#!/usr/bin/env bash
# Faults, one by one, against all four programs on real servers: broken files and arguments, servers that are not there or do not
# answer or go away, full disks, closed pipes, signals, two processes where one is meant. Each must end with the right exit
# status, a reason and what to do next, in bounded time, with nothing lost.
#
# usage: tests/integration/bad-input.sh BUILD_DIRECTORY      MUSTER_STACK_DIR names a stack that is up already
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/harness.sh
children=()
cleanup_first() {
    local pid
    for pid in "${children[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
}

# ends STATUS PROGRAM...: within 20 s, by itself, with that status. A failure leaves one reason on standard error, and nothing of it is a
# control character.
ends() {
    local wanted=$1 status=0 program=$2
    shift 2
    timeout -k 1 20 "$build/$program" "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
    [ "$status" -eq "$wanted" ] || { echo "     exit $status, not $wanted"; return 1; }
    ! LC_ALL=C grep -q '[[:cntrl:]]' "$work/err" || { echo "     control characters on standard error"; return 1; }
    [ "$status" -eq 0 ] || [ -s "$work/err" ] || { echo "     no reason given"; return 1; }
}
says() { grep -qF -- "$1" "$work/out" "$work/err" || { echo "     does not say: $1"; return 1; }; }
refuses() { # STATUS TEXT PROGRAM...
    local status=$1 text=$2
    shift 2
    ends "$status" "$@" && says "$text"
}
sql() { psql -q -X -A -t -F, -v ON_ERROR_STOP=1 "$MUSTER_STORE_ADMIN_CONNINFO" -c "SET search_path = muster" -c "$1"; }
gives() { # EXPECTED SQL
    local got
    got=$(sql "$2")
    [ "$got" = "$1" ] || { echo "     expected $1, got $got"; return 1; }
}
eventually() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}
start() { # NAME PROGRAM...: in the background; its pid is in $pid, what it says in NAME.err
    local name=$1 program=$2
    shift 2
    "$build/$program" "$@" >"$work/$name.out" 2>"$work/$name.err" </dev/null &
    pid=$!
    children+=("$pid")
}
gone() { ! kill -0 "$1" 2>/dev/null; }
ended() { # STATUS PID SECONDS: ends by itself in time
    local status=0
    eventually "$3" gone "$2" || { echo "     still running"; return 1; }
    wait "$2" || status=$?
    [ "$status" -eq "$1" ] || { echo "     exit $status, not $1"; return 1; }
}
stopped() { # PID: a signal ends it, soon and well
    kill -TERM "$1" && ended 0 "$1" 8
}
said() { grep -qF -- "$2" "$work/$1.err"; } # NAME TEXT
track() { # USER [TIME]
    printf '{"type":"track","userId":"%s","messageId":"m","event":"purchase","timestamp":"%s"}\n' "$1" "${2:-2026-01-01T10:00:00Z}"
}
repeat() { head -c "$1" /dev/zero | tr '\0' "$2"; }
fresh_store() {
    local database=${MUSTER_STORE_ADMIN_CONNINFO/ user=muster_owner/}
    psql -q -X -v ON_ERROR_STOP=1 "${database/dbname=muster/dbname=postgres} user=postgres" \
        -c 'DROP DATABASE IF EXISTS muster WITH (FORCE)' -c 'CREATE DATABASE muster OWNER muster_owner' 2>/dev/null
    topics=$((topics + 1))
    export MUSTER_TOPICS_EVENTS=muster-bad-$$-$topics-events MUSTER_TOPICS_PROFILES=muster-bad-$$-$topics-profiles \
        MUSTER_TOPICS_CONSENT=muster-bad-$$-$topics-consent
    "$build/muster-reconcile" migrate >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
}

deploy/local/stack up "$stack" 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
eval "$(deploy/local/stack env "$stack")"
export MUSTER_CONF=/dev/null MUSTER_TIME_CLOCK=event MUSTER_CONSENT_MARKETING=opt_out
topics=0
fresh_store

# ---- files --------------------------------------------------------------------------------------------------------

mkdir "$work/segments" "$work/empty"
echo '{"segmentId": "buyers", "criteria": [{"event": "purchase"}]}' >"$work/segments/buyers.json"
{ track ann; echo 'not json'; track bob; } >"$work/broken.jsonl"
{ track ann; printf '{"type":"track","userId":"x","event":"purchase","timestamp":0,"properties":{"x":"'; repeat 1100000 x; echo '"}}'; track bob
} >"$work/long.jsonl"
{ track ann; printf '\0\n'; track bob; } >"$work/nul.jsonl"
{ track ann; track $'\xff\xfe'; track bob; } >"$work/utf8.jsonl"
{ track ann; printf '{"a":'; repeat 100 '['; echo; repeat 900000 '['; echo; track bob; } >"$work/deep.jsonl"
{ track ann; track bob; } | sed 's/$/\r/' >"$work/crlf.jsonl"
{ track ann; track bob; } | head -c -1 >"$work/no_end.jsonl"
{ echo; track ann; echo '   '; printf '\r\n\n'; track bob; echo; } >"$work/blank.jsonl"
{ printf '\xef\xbb\xbf'; track ann; track bob; } >"$work/mark.jsonl"
: >"$work/empty.jsonl"
head -c 50000 /dev/urandom >"$work/random"
long=$(repeat 256 u)
{
    track "$long"
    track "${long}u"
    for user in 'co,mma' 'quo\"te' 'two\nlines' '用户' '=1+1' ' blank ' '-x' 'nul\u0000'; do track "$user"; done
} >"$work/hostile.jsonl"
{
    for purposes in '"":true' "\"${long}u\":true" '"nul\u0000":true' "$(printf '"p%d":true,' $(seq 300))\"p\":true"; do
        printf '{"type":"consent","userId":"ann","timestamp":"2026-01-01T10:00:00Z","purposes":{%s}}\n' "$purposes"
    done
    track ann
} >"$work/purposes.jsonl"
events() { "$build/muster" eval --segments "$work/segments" --events "$work/$1.jsonl" 2>"$work/err" | tail -n +2; }

for case in broken:1:2 long:1:2 nul:1:2 utf8:1:2 deep:2:2 crlf:0 no_end:0 blank:0 mark:0; do
    IFS=: read -r name bad line <<<"$case"
    file=$work/$name.jsonl
    check "$name: eval" ends 0 muster eval --segments "$work/segments" --events "$file"
    check "  has both users" test "$(tail -n +2 "$work/out" | cut -d, -f2 | tr '\n' ' ')" = "ann bob "
    [ "$bad" -eq 0 ] || check "  names file, line and reason" grep -qE "^$file:$line: (not_json|too_large|too_deep): " "$work/err"
    [ "$bad" -eq 0 ] || check "  eval --strict exits 4" ends 4 muster eval --strict --segments "$work/segments" --events "$file"
    check "  load" refuses 0 "2 events archived, $bad quarantined" muster-batch load "$file"
    check "  produce" refuses 0 "2 messages delivered" muster produce --topic "$MUSTER_TOPICS_EVENTS" "$file"
    [ "$bad" -eq 0 ] || check "  names file and line" says "$file:$line: quarantined: "
done
check "every broken line is in the store, with its text" gives 6,6 "SELECT count(*), count(message) FROM quarantine"
check "hostile users" ends 0 muster eval --segments "$work/segments" --events "$work/hostile.jsonl"
check "  the allowed ones, quoted where needed" test "$(tail -n +2 "$work/out" | sha256sum)" = "$(sed 's/.*/buyers,&,2026-01-01T10:00:00.000Z,/' <<LINES | sed -z 's/"two,[^"]*\n/"two\n/;s/\nbuyers,lines/\nlines/' | sha256sum
 blank 
-x
=1+1
"co,mma"
"quo""te"
"two
lines"
$long
用户
LINES
)"
check "  load" refuses 0 "8 events archived, 2 quarantined" muster-batch load "$work/hostile.jsonl"
# Ids that share what they begin with, or nothing.
printf 'id-%s\n' 1 10 9 100000000000 100000000001 1000000000010 10000000 é z >"$work/alike"
while read -r user; do track "$user"; done <"$work/alike" >"$work/alike.jsonl"
{ cat "$work/alike.jsonl"; track a; } >"$work/unlike.jsonl"
check "users in the order of their bytes" test "$(events alike | cut -d, -f2)" = "$(LC_ALL=C sort "$work/alike")"
check "  and with one that is unlike the others" test "$(events unlike | cut -d, -f2)" = \
    "$({ cat "$work/alike"; echo a; } | LC_ALL=C sort)"
check "purposes that the store cannot hold" refuses 0 "1 events archived, 4 quarantined" muster-batch load "$work/purposes.jsonl"
check "an empty file is no events" refuses 0 "0 events archived" muster-batch load "$work/empty.jsonl"
check "random bytes are counted" refuses 0 "quarantined" muster-batch load "$work/random"
for command in "muster-batch load" "muster produce --topic t" "muster eval --segments $work/segments --events"; do
    check "a missing file, ${command%% --*}" refuses 3 "No such file" $command "$work/none"
    check "a folder, ${command%% --*}" refuses 3 "Is a directory" $command "$work/empty"
done

# ---- CSV ----------------------------------------------------------------------------------------------------------

cat >"$work/good.map" <<'MAP'
user = Customer
time = When format "%Y-%m-%d %H:%M:%S" zone UTC
messageId = #line
event = "purchase"
property.q = Qty number
MAP
at=2026-01-01\ 10:00:00
printf 'Customer,When\nann,%s\n' "$at" >"$work/column.csv"
printf 'Customer,When,Qty,Qty\nann,%s,1,2\n' "$at" >"$work/twice.csv"
printf 'Customer,When,Qty\nann,%s,3\n"bob,%s,4\ncid,%s,4\n' "$at" "$at" "$at" >"$work/open.csv"
printf 'Customer,When,Qty\nann,%s,3\nbob\ncid,%s,4,5\ndon,never,4\neve,2026-02-30 10:00:00,1\nfay,%s,x\n' "$at" "$at" "$at" >"$work/ragged.csv"
csv() { echo muster-batch load "$work/$1.csv" --map "$work/${2:-good}.map"; }
check "a missing column" refuses 4 "column.csv:1: $work/good.map:5: there is no column Qty" $(csv column)
check "  with those there are" says "the columns are: Customer, When"
check "a column twice" refuses 4 "twice.csv:1: the header has two columns Qty" $(csv twice)
check "an open quote" refuses 0 "1 events archived, 1 quarantined" $(csv open)
check "ragged lines, cells that are no time and no number" refuses 0 "1 events archived, 5 quarantined" $(csv ragged)
check "an empty CSV file" refuses 4 "expected a header" muster-batch load "$work/empty.jsonl" --map "$work/good.map"
check "random bytes as CSV" ends 4 muster-batch load "$work/random" --map "$work/good.map"
for line in 'usr = Customer' 'user Customer' 'user = Customer | strp "x"' 'user = Custmer'; do
    { echo "$line"; tail -n +2 "$work/good.map"; } >"$work/bad.map"
    check "a mapping with: $line" refuses 4 "bad.map:1: " $(csv ragged bad)
done
check "a missing mapping" refuses 3 "No such file" $(csv ragged none)
check "a folder as mapping" refuses 3 "Is a directory" muster-batch load "$work/open.csv" --map "$work/empty"
check "random bytes as mapping" ends 4 muster-batch load "$work/open.csv" --map "$work/random"

# ---- definitions --------------------------------------------------------------------------------------------------

criteria() { printf '{"segmentId":"a","criteria":[%s]}' "$1" >"$work/definition.json"; }
validate() { echo muster segments validate "$work/definition.json"; }
criteria '{"event":"x","windw":"1d"}'
check "an unknown key, with the nearest" refuses 4 'definition.json:1: $.criteria[0]: unknown key "windw" in an event criterion: did you mean "window"?' $(validate)
check "  the same by apply" ends 4 muster segments apply "$work/definition.json"
check "  nothing was stored" gives 0 "SELECT count(*) FROM definitions"
criteria "$(repeat 20000 '[')"
check "deeply nested" refuses 4 "nested too deep" $(validate)
criteria "{\"event\":\"$(repeat 900000 x)\"}"
check "a name of a megabyte" eval 'status=0; timeout 10 "$build/muster" segments validate "$work/definition.json" >"$work/out" 2>"$work/err" || status=$?; [ $status -eq 0 ] || [ $status -eq 4 ]'
criteria "$(for i in $(seq 10001); do printf '{"event":"e%d"},' "$i"; done){\"event\":\"x\"}"
check "more criteria than a person writes" refuses 4 '$.criteria: more than 10000 criteria' $(validate)
printf 'null' >"$work/definition.json"
check "null" refuses 4 "expected a segment definition" $(validate)
check "an empty file" refuses 4 "unexpected end" muster segments validate "$work/empty.jsonl"
check "random bytes" ends 4 muster segments validate "$work/random"
check "endless zeros" refuses 4 "larger than" muster segments validate /dev/zero
check "an empty folder" refuses 4 "no *.json in this folder" muster segments apply "$work/empty"

# ---- command lines and settings -----------------------------------------------------------------------------------

check "no command" refuses 2 "--help lists them" muster
check "an unknown command" refuses 2 "there are: produce, eval" muster frobnicate
check "a near one" refuses 2 "did you mean members?" muster membrs
check "an unknown option" refuses 2 "there are: --format" muster-batch runs --bogus
check "a near option" refuses 2 "did you mean --as-of?" muster-batch run --asof 2026-01-01
check "a missing argument" refuses 2 "an argument is missing: FILE" muster produce --topic t
check "one too many" refuses 2 'unexpected argument "x"' muster-reconcile migrate x
check "no instant" refuses 2 'expected an instant' muster members buyers --as-of yesterday
check "no format" refuses 2 'csv or jsonl, not "xml"' muster status --format xml
check "no number" refuses 2 "expected 1 or more" muster-batch load --kafka --max-messages 0
check "an impossible topic" refuses 2 "Kafka refuses" muster produce --topic 'bad topic!' "$work/crlf.jsonl"
check "a setting in the environment that is none" env MUSTER_TOPICS_PARTITIONZ=4 bash -c "'$build/muster' status 2>&1 >/dev/null | grep -q 'did you mean MUSTER_TOPICS_PARTITIONS?'"
printf '[store]\nconinfo = x\n' >"$work/bad.conf"
check "an unknown key of the configuration" refuses 2 "did you mean store.conninfo?" muster status --config "$work/bad.conf"
check "  with its line" says "$work/bad.conf:2:"
check "random bytes as configuration" ends 2 muster status --config "$work/random"
check "a missing configuration" refuses 2 "No such file" muster status --config "$work/none"
check "a setting out of range" refuses 2 "must be an integer from 1 to 1024" muster status --set topics.partitions=0
check "a librdkafka setting that is none" refuses 2 "librdkafka knows no such setting" muster-stream lag --set kafka.bogus=1
check "a malformed connection string" refuses 2 "not a valid libpq connection string" muster status --set "store.conninfo=host=x pasword=sekrit"
check "  is not repeated" eval '! says sekrit >/dev/null'
check "a password is not told" refuses 3 "Connection refused" muster status --set "store.conninfo=host=127.0.0.1 port=1 password=sekrit"
check "  in any part" eval '! says sekrit >/dev/null'
check "a malformed Redis address" ends 2 muster-reconcile run --set redis.url=foo
for setting in time.clock=wall topics.partitions=8 time.dedup=1h time.future_skew=1m consent.marketing=opt_in; do
    check "another ${setting%=*} than the store's" refuses 2 "setting ${setting%=*} is" muster-batch runs --set "$setting"
done
for program in muster muster-batch muster-stream muster-reconcile; do
    check "$program --version" refuses 0 "$program " "$program" --version
    for command in $("$build/$program" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
        check "$program $command --help" refuses 0 "usage: $program $command" "$program" "$command" --help
        check "  on standard output" test ! -s "$work/err"
    done
done

# ---- hostile arguments --------------------------------------------------------------------------------------------

check "apply" ends 0 muster segments apply "$work/segments"
check "run" ends 0 muster-batch run
check "reconcile" ends 0 muster-reconcile run
for user in 'co,mma' 'quo"te' $'two\nlines' '用户' '=1+1' ' blank ' "$long"; do
    check "history of a hostile user" refuses 0 batch_new_member muster history "$user"
    check "explain" ends 0 muster explain buyers "$user"
    check "consent" ends 0 muster consent get "$user"
done
check "a user that begins with a dash" refuses 0 batch_new_member muster history -- -x
check "  without the two dashes" refuses 2 "options begin with two dashes" muster history -x
for user in nobody '' "'; DROP TABLE users; --" "${long}u" "$(repeat 100000 u)"; do
    check "history of nobody" refuses 4 "no such user" muster history "$user"
    check "explain" ends 4 muster explain buyers "$user"
    check "consent" ends 4 muster consent get "$user"
done
for command in "history U" "explain buyers U" "consent get U" "consent set U marketing granted --at 2026-01-01" "members U" "drift U"; do
    check "no UTF-8: muster ${command%% *}" refuses 4 "not UTF-8" muster ${command/U/$'\xff\xfe'}
done
for segment in nobody '' $'two\nlines' "'; DROP TABLE segments; --"; do
    check "members of no segment" refuses 4 "no segment" muster members "$segment"
done
check "a user id that is too long" ends 4 muster consent set "${long}u" marketing withdrawn --at 2026-02-01
check "a misspelt purpose" refuses 2 "there are: marketing" muster consent set ann marketin withdrawn --at 2026-02-01
check "  changed nothing" gives 0 "SELECT count(*) FROM consent_changes"

# ---- closed pipes, full disks -------------------------------------------------------------------------------------

for command in "muster eval --segments $work/segments --events $work/crlf.jsonl" "muster segments list" "muster segments show buyers" \
    "muster segments validate $work/segments" "muster segments apply $work/segments" "muster members buyers" "muster members --format csv" \
    "muster history ann" "muster history --segment buyers --format jsonl" "muster explain buyers ann" "muster consent get ann" \
    "muster drift" "muster status" "muster --help" "muster --sample-config" "muster-batch load $work/crlf.jsonl" \
    "muster-batch load --kafka" "muster-batch run" "muster-batch runs" "muster-batch runs 1" "muster-stream lag" \
    "muster-reconcile migrate" "muster-reconcile run" "muster produce --topic $MUSTER_TOPICS_EVENTS $work/crlf.jsonl"; do
    shown=$(sed "s#$work/##g" <<<"$command")
    check "a full disk: $shown" eval 'status=0; "$build"/$command >/dev/full 2>"$work/err" || status=$?; [ $status -eq 70 ] && grep -q "No space left" "$work/err"'
    # The reader is gone before the first byte.
    check "a closed pipe: $shown" eval '{ sleep 0.05; status=0; "$build"/$command 2>"$work/err" || status=$?; echo $status >"$work/status"; } | true; eventually 10 test -s "$work/status" && [ "$(cat "$work/status")" = 0 ] && ! grep -q "could not" "$work/err"; result=$?; rm -f "$work/status"; [ $result -eq 0 ]'
done

check "the stream, once" ends 0 muster-stream run --until 2026-01-02

# ---- servers that are not there -----------------------------------------------------------------------------------

# A port that takes connections and never answers: a server that is frozen.
freeze() { kill -STOP "$1"; }
thaw() { kill -CONT "$1"; }
redis_pid=$(cat "$stack/redis.pid")
kafka_pid=$(cat "$stack/kafka.pid")
closed_store="host=127.0.0.1 port=1 dbname=muster"
for command in "muster segments apply $work/segments" "muster segments list" "muster members buyers" "muster history ann" \
    "muster explain buyers ann" "muster consent get ann" "muster drift" "muster status" "muster-batch load $work/crlf.jsonl" "muster-batch run" \
    "muster-batch runs" "muster-stream lag" "muster-stream run --until 2026-01-01" "muster-reconcile run"; do
    check "no store: $(sed "s#$work/##g" <<<"$command")" refuses 3 "see that PostgreSQL is up" $command --set "store.conninfo=$closed_store"
done
check "no store: migrate" refuses 3 "see that PostgreSQL is up" muster-reconcile migrate --set "store.admin_conninfo=$closed_store"
check "no Redis: the pass is done, and it says so" refuses 0 "not published" muster-reconcile run --set redis.url=redis://127.0.0.1:1/0
check "no Redis: a withdrawal waits" refuses 0 "the removal from Redis is queued" muster consent set ann marketing withdrawn --at 2026-02-01 \
    --set redis.url=redis://127.0.0.1:1/0
check "  it is shown" refuses 0 "1 removals waiting" muster status
check "  and done by the next pass" ends 0 muster-reconcile run
check "  then nothing waits" refuses 0 "0 removals waiting" muster status

# All at once, since each waits about 10 s: Kafka on a closed port, Redis and Kafka that do not answer.
began=$SECONDS
no_kafka="--set kafka.bootstrap.servers=127.0.0.1:1"
start produce muster produce --topic t "$work/crlf.jsonl" $no_kafka; produce=$pid
start load muster-batch load --kafka $no_kafka; load=$pid
start lag muster-stream lag $no_kafka; lag=$pid
start until muster-stream run --until 2026-01-01 $no_kafka; until=$pid
start waiting muster-stream run $no_kafka; waiting=$pid
freeze "$redis_pid"
freeze "$kafka_pid"
start silent_kafka muster-batch load --kafka; silent_kafka=$pid
start silent_redis muster-reconcile run; silent_redis=$pid
sleep 1
check "a stream that waits for Kafka ends by a signal" stopped "$waiting"
for name in produce load lag until silent_kafka; do
    check "no Kafka: $name exits 3" ended 3 "${!name}" 20
    check "  with a hint" said "$name" "check kafka.bootstrap.servers"
done
check "a Redis that does not answer: the pass is done" ended 0 "$silent_redis" 15
check "  and says so" said silent_redis "Redis did not answer"
check "  all within 15 s" test $((SECONDS - began)) -le 15
thaw "$redis_pid"
thaw "$kafka_pid"

# ---- the log ------------------------------------------------------------------------------------------------------

fresh_store
ends 0 muster-batch load "$work/crlf.jsonl"
ends 0 muster segments apply "$work/segments"
ends 0 muster-batch run
start stream muster-stream run; stream=$pid
start watch muster-reconcile watch; watch=$pid
check "the stream is ready" eventually 10 said stream "caught up"
send() { kcat -P -b "$MUSTER_KAFKA_BOOTSTRAP_SERVERS" -t "$MUSTER_TOPICS_EVENTS" -X partitioner=murmur2_random "$@" 2>>"$work/kcat.err"; }
send -k zoe < <(track zoe 2026-01-02T10:00:00Z)
send < <(track null 2026-01-02T10:00:00Z)
send -k somebody < <(track else 2026-01-02T10:00:00Z)
for partition in 0 1 2 3; do send -k wrong -p "$partition" < <(track wrong 2026-01-02T10:00:00Z); done
send -k future < <(track future 2099-01-01T00:00:00Z)
echo '{"type":"frob","userId":"a","timestamp":"2026-01-02T10:00:00Z"}' | send -k a
echo 'not json' | send -k a
printf 'a|\n' | send -Z -K '|'
head -n 4 "$work/purposes.jsonl" | send -k ann
send -k yan < <(track yan 2026-01-02T10:00:00Z)
member() { "$build/muster" members buyers --format csv | grep -q "^buyers,$1,"; }
check "what is right goes through" eventually 10 member yan
check "each refused message has reason and position" eventually 10 gives \
    "future,1
key,5
not_json,2
purposes,4
type,1" "SELECT reason, count(DISTINCT (topic_no, lane, log_offset)) FROM quarantine WHERE source = 'stream' GROUP BY 1 ORDER BY 1"
check "the batch refuses the same" refuses 0 "3 messages archived, 13 quarantined" muster-batch load --kafka
check "no user id is in the log of the stream" eval '! grep -qE "zoe|yan|somebody|wrong" "$work/stream.err"'
serving() { redis-cli -u "$MUSTER_REDIS_URL" EXISTS "muster:u:$1"; }
served() { [ "$(serving "$1")" = "$2" ]; }
check "both are served" eventually 10 eval 'served yan 1 && served zoe 1'
printf '{"type":"delete","userId":"yan","timestamp":"2026-01-03T10:00:00Z"}\n' |
    kcat -P -b "$MUSTER_KAFKA_BOOTSTRAP_SERVERS" -t "$MUSTER_TOPICS_CONSENT" -X partitioner=murmur2_random -k yan
printf '{"type":"consent","userId":"zoe","timestamp":"2026-01-03T10:00:00Z","purposes":{"marketing":false}}\n' |
    kcat -P -b "$MUSTER_KAFKA_BOOTSTRAP_SERVERS" -t "$MUSTER_TOPICS_CONSENT" -X partitioner=murmur2_random -k zoe
check "a delete and a withdrawal end memberships" eventually 10 eval '! member yan && ! member zoe'
check "  and leave Redis" eventually 10 eval 'served yan 0 && served zoe 0'
check "  the erasure waits, and is shown" refuses 0 "pending" muster status --format csv

# ---- servers that go away, two processes where one is meant ------------------------------------------------------------

check "a second watch" refuses 1 "another reconciler is at work" muster-reconcile watch
check "a pass beside it" refuses 1 "another reconciler is at work" muster-reconcile run
check "two runs at once are both right" eval '"$build/muster-batch" run >/dev/null 2>&1 & ends 0 muster-batch run && wait $!'
pg_bin=$(dirname "$(readlink -f "/proc/$(head -n 1 "$stack/postgres.pid")/exe")")
as_server() { if [ "$(id -u)" -eq 0 ]; then (cd / && runuser -u "$(stat -c %U "$stack/postgres/data")" -- "$@"); else "$@"; fi; }
stop_store() { as_server "$pg_bin/pg_ctl" -D "$stack/postgres/data" -m immediate -s stop; }
start_store() { env -u MUSTER_STORE_CONNINFO -u MUSTER_REDIS_URL -u MUSTER_KAFKA_BOOTSTRAP_SERVERS deploy/local/stack up "$stack" 2>/dev/null; }
for i in $(seq 60000); do
    printf '{"type":"track","userId":"u%d","event":"visit","timestamp":"2026-01-01T10:00:00Z"}\n' "$i"
done >"$work/many.jsonl"
stop_store
sleep 1
check "the store stops: the stream lives" kill -0 "$stream"
check "  and watch" kill -0 "$watch"
check "  each says so once" eval '[ "$(grep -c "trying again" "$work/stream.err")" = 1 ] && [ "$(grep -c "trying again" "$work/watch.err")" = 1 ]'
send -k xia < <(track xia 2026-01-02T10:00:00Z)
start_store
check "  it is back: both go on" eventually 15 member xia
start first muster-stream run; second=$pid
check "a second stream takes the lanes over" eventually 10 said first "caught up"
send -k wei < <(track wei 2026-01-02T10:00:00Z)
for user in a b c d e f g h; do send -k "$user" < <(track "$user" 2026-01-02T10:00:00Z); done
check "  the first one ends with 1" ended 1 "$stream" 10
check "  and says why" said stream "another muster-stream has taken over"
check "  nothing is lost" eventually 10 eval 'member wei && member h'
check "SIGTERM ends the stream" stopped "$second"
check "SIGTERM ends watch" stopped "$watch"

# ---- load, run and produce that are stopped ------------------------------------------------------------------------

fresh_store
start load muster-batch load "$work/many.jsonl"; load=$pid
check "a load has begun" eventually 10 eval '[ "$(sql "SELECT count(*) FROM archive")" -gt 0 ]'
check "SIGTERM ends it" stopped "$load"
start load muster-batch load "$work/many.jsonl"; load=$pid
sleep 0.2
stop_store
check "the store stops under the next: exit 3 or done" eval 'ended 3 "$load" 10 || said load archived'
start_store
check "the same command goes on" ends 0 muster-batch load "$work/many.jsonl"
check "  each line once" gives 60000,60000 "SELECT count(*), count(DISTINCT line) FROM archive"
echo '{"segmentId": "visitors", "criteria": [{"event": "visit"}]}' >"$work/segments/visitors.json"
ends 0 muster segments apply "$work/segments"
start run muster-batch run; run=$pid
sleep 0.2
check "SIGTERM ends a run" stopped "$run"
start run muster-batch run; run=$pid
sleep 0.1
stop_store
check "the store stops under the next: exit 3" eval 'ended 3 "$run" 10'
start_store
check "the same command goes on" refuses 0 60000 muster-batch run
check "  no run is left half" gives 0 "SELECT count(*) FROM runs WHERE state = 'running'"
start produce muster produce --topic "$MUSTER_TOPICS_EVENTS" "$work/many.jsonl"; produce=$pid
sleep 0.15
check "SIGTERM ends produce" stopped "$produce"
check "  what it says it delivered is there" refuses 0 "$(sed -n 's/^\([0-9]*\) messages delivered.*/\1/p' "$work/produce.out") messages archived" \
    muster-batch load --kafka

finish
