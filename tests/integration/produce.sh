#!/usr/bin/env bash
# muster produce on a real Kafka: what arrives, what is refused, and every way to end.
#
# usage: tests/integration/produce.sh BUILD_DIRECTORY      MUSTER_STACK_DIR names a stack that is up already
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/harness.sh
produce() { "$build/muster" produce "$@" >"$work/out" 2>"$work/err"; }
evaluate() { "$build/muster" eval "$@" >"$work/out" 2>"$work/err"; }
says() { grep -q -- "$1" "$work/out" "$work/err"; }
same() { [ "$1" = "$2" ] || { echo "     $1, not $2"; return 1; }; }
# The topic's messages as "PARTITION KEY VALUE", partitions one after the other.
consume() {
    local partition
    for partition in 0 1 2 3; do
        kcat -q -b "$MUSTER_KAFKA_BOOTSTRAP_SERVERS" -t "$1" -p "$partition" -C -o beginning -e -f '%p %k %s\n'
    done
}

export MUSTER_CONF=/dev/null
deploy/local/stack up "$stack" 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
eval "$(deploy/local/stack env "$stack")"
topic=muster-produce-$$

# ---- JSON lines ---------------------------------------------------------------------------------------------------

for user in a b c d e f g h; do
    for number in 1 2 3 4 5; do
        echo "{\"type\":\"track\",\"messageId\":\"$user$number\",\"userId\":\"$user\",\"event\":\"e\",\"timestamp\":$number}"
    done
done >"$work/good.jsonl"
check "messages are delivered to a topic that is made" exits 0 produce --topic "$topic-a" "$work/good.jsonl"
check "their number is told" says "40 messages delivered to $topic-a"
consume "$topic-a" >"$work/consumed"
check "all arrive as they stand" same "$(cut -d' ' -f3- "$work/consumed" | sort | md5sum)" "$(sort "$work/good.jsonl" | md5sum)"
check "in the order of the file for each user" same \
    "$(sort -s -k2,2 "$work/consumed" | cut -d' ' -f3- | md5sum)" "$(md5sum <"$work/good.jsonl")"
check "keyed by user" same "$(awk '{ print $2 }' "$work/consumed" | sort | uniq -c | awk '{ print $1 $2 }' | xargs)" \
    "5a 5b 5c 5d 5e 5f 5g 5h"
check "each user is on one partition" same "$(awk '{ print $2 ":" $1 }' "$work/consumed" | sort -u | wc -l)" 8
check "the topic has the configured partitions" same \
    "$(kcat -q -b "$MUSTER_KAFKA_BOOTSTRAP_SERVERS" -L -t "$topic-a" -J | jq '.topics[0].partitions | length')" 4

check "another partition count is refused" exits 2 produce --topic "$topic-a" --set topics.partitions=3 "$work/good.jsonl"
check "it names both" says "has 4 partitions, topics.partitions says 3"

# ---- bad lines ----------------------------------------------------------------------------------------------------

{
    echo '{"type":"track","userId":"a","event":"e","timestamp":1}'
    echo 'broken'
    echo
    echo '{"type":"track","userId":"","event":"e","timestamp":1}'
    printf '{"type":"track","userId":"a","event":"%2000000s","timestamp":1}\n' ''
    echo '{"type":"track","userId":"b","event":"e","timestamp":1}'
} >"$work/mixed.jsonl"
check "bad lines stop nothing" exits 0 produce --topic "$topic-b" "$work/mixed.jsonl"
check "a broken line is told" says "mixed.jsonl:2: quarantined: not_json: "
check "an empty user is told" says "mixed.jsonl:4: quarantined: user: userId is empty"
check "a line that is too large is told" says "mixed.jsonl:5: quarantined: too_large: "
check "they are counted" says "3 lines quarantined: 1 not_json, 1 too_large, 1 user"
check "the others arrive" says "2 messages delivered"
check "with --strict the exit status is 4" exits 4 produce --strict --topic "$topic-b" "$work/mixed.jsonl"
digest=$(sha256sum "$work/mixed.jsonl" | cut -c 1-16)
check "lines without an id get one from the file, twice the same" same \
    "$(consume "$topic-b" | cut -d' ' -f3- | jq -r .messageId | sort | uniq -c | awk '{ print $1 ":" $2 }' | xargs)" \
    "2:$digest:0000000001 2:$digest:0000000006"
check "a pipe gives the same ids" bash -c "cat '$work/mixed.jsonl' | '$build/muster' produce --topic '$topic-b' - >'$work/out' 2>'$work/err'"
check "and no others" same "$(consume "$topic-b" | cut -d' ' -f3- | jq -r .messageId | sort -u | wc -l)" 2

# ---- CSV ----------------------------------------------------------------------------------------------------------

printf 'user = Id | strip ".0"\ntime = At format "%%F %%T"\nevent = Name\nproperty.n = N number\n' >"$work/map"
printf 'Id,At,Name,N\r\n7.0,2026-05-01 10:00:00,"say ""hi"",\nthere",1.50\r\n8.0,yesterday,x,1\r\n,2026-05-01 10:00:00,x,1\r\n' >"$work/in.csv"
check "CSV is mapped" exits 0 produce --topic "$topic-c" --map "$work/map" "$work/in.csv"
check "what is no time is refused" says "in.csv:4: quarantined: mapping: time"
check "what has no user too" says "in.csv:5: quarantined: user"
check "the message is as the mapping says" same "$(consume "$topic-c" | cut -d' ' -f3- | jq -c 'del(.messageId)')" \
    '{"userId":"7","timestamp":1777629600000,"event":"say \"hi\",\nthere","type":"track","properties":{"n":1.5}}'
printf '{"segmentId": "s", "criteria": [{"event": "*"}]}\n' >"$work/s.json"
check "eval reads CSV by the same mapping" evaluate --segments "$work/s.json" --events "$work/in.csv" --map "$work/map"
check "and finds the member" same "$(sed -n 2p "$work/out")" s,7,2026-05-01T10:00:00.000Z,
sed -i 's/= Name/= Nmae/' "$work/map"
check "a misspelt column is exit 4" exits 4 produce --topic "$topic-c" --map "$work/map" "$work/in.csv"
check "and told with those there are" says "map:3: there is no column Nmae"
check "in the hint" says "the columns are: Id, At, Name, N"

# ---- every way to end ---------------------------------------------------------------------------------------------

: >"$work/empty"
check "an empty file is no error" exits 0 produce --topic "$topic-d" "$work/empty"
check "nothing is delivered" says "^0 messages delivered"
check "a file that is not there is exit 3" exits 3 produce --topic "$topic-d" "$work/nowhere"
check "a folder is exit 3" exits 3 produce --topic "$topic-d" "$work"
check "a missing topic option is exit 2" exits 2 produce "$work/good.jsonl"
check "a broker that is not there is exit 3" exits 3 env MUSTER_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:1 "$build/muster" \
    produce --topic "$topic-d" "$work/good.jsonl" 2>"$work/err"
check "and says what to do" says "MUSTER_KAFKA_BOOTSTRAP_SERVERS"
check "a full disk is exit 70" exits 70 bash -c "'$build/muster' produce --topic '$topic-d' '$work/good.jsonl' >/dev/full 2>/dev/null"
check "a closed pipe is exit 0" exits 0 bash -c "{ '$build/muster' produce --topic '$topic-d' '$work/good.jsonl'; echo \$? >&3; } 3>'$work/status' | true; exit \$(cat '$work/status')"

head -n 2000000 < <(yes '{"type":"track","userId":"u","event":"e","timestamp":1}') >"$work/long.jsonl"
"$build/muster" produce --topic "$topic-e" "$work/long.jsonl" >"$work/out" 2>"$work/err" &
pid=$!
sleep 1
kill -TERM "$pid" 2>/dev/null || true
status=0
wait "$pid" || status=$?
check "SIGTERM is exit 0" same "$status" 0
delivered=$(awk '{ print $1 }' "$work/out")
line=$(sed -nE 's/^stopped behind line ([0-9]+) of .*/\1/p' "$work/err")
check "it says where it stopped, and everything before is delivered" same "$delivered" "${line:-2000000}"

finish
