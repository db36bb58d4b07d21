#!/usr/bin/env bash
# Generated SQL against the evaluator: every definition of the conformance cases at several instants, and the retail cut,
# in PostgreSQL and, where it can be had, DuckDB. What is refused is listed and counted, and is no failure; the list of
# reasons is closed, so a new refusal is one. Spark's text is parsed where a parser can be had.
#
# usage: tests/integration/sql.sh BUILD_DIRECTORY     MUSTER_STACK_DIR names a stack that is up already
#        MUSTER_PYTHON_CACHE: where duckdb and sqlglot are kept (default /var/tmp/muster-python-UID); "none": do without
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$1
work=$(mktemp -d /var/tmp/muster-sql.XXXXXX)
chmod 755 "$work" # the unprivileged user that runs PostgreSQL must get through
stack=${MUSTER_STACK_DIR:-$work/stack}
passed=0
failed=0
edges=1 # of memberships, by case
[ -z "${MUSTER_TEST_LONG:-}" ] || edges=12
export LC_ALL=C MUSTER_CONF=/dev/null

cleanup() {
    [ -z "${database:-}" ] || psql -q -X "$server" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" >/dev/null 2>&1 || true
    [ -n "${MUSTER_STACK_DIR:-}" ] || deploy/local/stack down --purge "$stack" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

ok() { passed=$((passed + 1)); }
bad() {
    failed=$((failed + 1))
    echo "FAILED $1"
}

# ---- what is asked: CASE SEGMENT lines, instants, and what the evaluator says ------------------------------------------

# Instants worth asking about: those of the lists, and edges of memberships (each and the millisecond before).
instants() { # case folder
    local list
    for list in "$1"/asof_*.csv; do
        [ -e "$list" ] && list=${list##*_} && echo "${list%.csv}"
    done
    grep -Eo '[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.][0-9]{3}Z' "$1/intervals.csv" | sort -u |
        awk -v most="$edges" '{ at[NR] = $0 } END { n = NR < most ? NR : most; for (i = 0; i < n; i++) print at[1 + int(i * NR / n)] }' |
        while read -r at; do
            date -u -d "$at" +%s%3N
        done | awk '{ print; if (NR % 2) printf "%d\n", $1 - 1 }'
}

# Cases of our own: copies whose chain is longer than the span, numbers and timestamps at the edges of what engines read,
# values of other types than the rule's.
mkdir -p "$work/own/copies" "$work/own/edges"
cat >"$work/own/copies/segments.json" <<'EOF'
[{"segmentId": "two", "criteria": [{"event": "e", "count": {"=": 2}}]},
 {"segmentId": "three", "criteria": [{"event": "e", "count": {"=": 3}}]}]
EOF
for hour in 00 20; do
    echo '{"type":"track","messageId":"m","userId":"a","event":"e","timestamp":"2026-03-01T'$hour':00:00Z"}'
done >"$work/own/copies/events.jsonl"
for line in 'm:a:02T16' 'm:a:02T20' 'm:b:01T00' 'm:b:02T00' 'm:b:02T01' 'm:c:09T00' 'm:c:07T00' 'm:c:08T00' 'm:c:05T23' 'n:c:05T23'; do
    IFS=: read -r id user at <<<"$line"
    echo '{"type":"track","messageId":"'$id'","userId":"'$user'","event":"e","timestamp":"2026-03-'$at':00:00Z"}'
done >>"$work/own/copies/events.jsonl"
cp tests/integration/sql_edges.json "$work/own/edges/segments.json"
number=0
while read -r value; do
    number=$((number + 1))
    echo '{"type":"track","messageId":"e'$number'","userId":"u'$number'","event":"e","timestamp":"2026-03-01T00:00:00Z","properties":{"v":'$value',"w":0.5,"in":{"v.w":'$value'}}}'
    echo '{"type":"identify","messageId":"i'$number'","userId":"u'$number'","timestamp":"2026-03-02T00:00:00Z","traits":{"v":'$value'}}'
done <tests/integration/sql_edges.values >"$work/own/edges/events.jsonl"
echo '2026-03-20T00:00:00.000Z' | tee "$work/own/copies/intervals.csv" >"$work/own/edges/intervals.csv"

mkdir "$work/cases"
for case in tests/conformance/cases/*/ "$work"/own/*/; do
    case=${case%/}
    name=${case##*/}
    mkdir "$work/cases/$name"
    jq -r '(if type == "array" then .[] else . end).segmentId' "$case/segments.json" >"$work/cases/$name/ids"
    instants "$case" | sort -un >"$work/cases/$name/instants"
    while read -r at; do
        "$build/muster" eval --segments "$case/segments.json" --events "$case/events.jsonl" --as-of "$at" --format jsonl \
            2>/dev/null | sed "s/^/$name $at /"
    done <"$work/cases/$name/instants"
done | jq -R -c 'capture("^(?<c>[^ ]*) (?<t>[^ ]*) (?<row>.*)$") | (.row | fromjson) as $row | [.c, $row.segment, .t, $row.user]' |
    sort >"$work/expected"

retail=tests/data/retail
mkdir "$work/cases/retail"
ls "$retail/segments" | sed -n 's/\.json$//p' >"$work/cases/retail/ids"
for date in 2011-06-01 2011-12-10; do
    at=$(date -u -d "$date" +%s%3N)
    echo "$at" >>"$work/cases/retail/instants"
    sed 's/\r$//' "$retail/members_$date.csv" |
        jq -R -c --arg at "$at" 'split(",") | select(.[0] != "segment") | ["retail", .[0], $at, .[1]]'
done | sort >>"$work/expected"
sort -o "$work/expected" "$work/expected"
gzip -dc "$retail/online_retail.csv.gz" >"$work/retail.csv"

# The queries and rows of a dialect: DIALECT/CASE/ID.sql, DIALECT/CASE/rows.csv; "CASE ID" of the refused with the reason.
prepare() { # dialect
    local began=$SECONDS
    local dialect=$1 name id file folder
    : >"$work/$dialect.refused"
    for name in $(ls "$work/cases"); do
        # In short runs not all of the random cases but in PostgreSQL.
        case $dialect$name${MUSTER_TEST_LONG:-} in sparkrandom_?[1-9] | duckdbrandom_?[13579]) continue ;; esac
        mkdir -p "$work/$dialect/$name"
        folder=tests/conformance/cases/$name
        [ -d "$folder" ] || folder=$work/own/$name
        file=$folder/segments.json
        if [ "$name" = retail ]; then
            file=$retail/segments
            "$build/muster" segments sql-events "$work/retail.csv" --map "$retail/retail.map" --dialect "$dialect"
        else
            "$build/muster" segments sql-events "$folder/events.jsonl" --dialect "$dialect"
        fi >"$work/$dialect/$name/rows.csv" 2>/dev/null
        while read -r id; do
            "$build/muster" segments sql "$id" --segments "$file" --dialect "$dialect" >"$work/$dialect/$name/$id.sql" \
                2>"$work/said" && continue
            [ $? -eq 4 ] || bad "$dialect $name $id: $(tail -n 1 "$work/said")"
            rm "$work/$dialect/$name/$id.sql"
            echo "$name $id: $(sed -n 's/.*: \(calendar.*\|.*contains.*\|a percentile of.*\)/\1/p' "$work/said" | head -n 1)" \
                >>"$work/$dialect.refused"
        done <"$work/cases/$name/ids"
    done
    sed 's/^[^:]*: //' "$work/$dialect.refused" | sort | uniq -c | sed "s/^/$dialect refused:/"
    echo "$dialect: written in $((SECONDS - began)) s"
    if grep -q ': $' "$work/$dialect.refused"; then bad "$dialect: refused for an unknown reason"; fi
}

# Counts each definition of each case: equal at all instants or not.
compare() { # dialect, file of ["case","segment","at","user"]
    local dialect=$1 got=$2 wrong
    sort -u "$got" | comm -3 "$work/expected" - >"$work/difference"
    (cd "$work/$dialect" && ls -- */*.sql) | sed 's/\.sql$//; s|/| |' | sort >"$work/asked"
    sed 's/^\t//' "$work/difference" | jq -r '"\(.[0]) \(.[1])"' | sort -u | comm -12 - "$work/asked" >"$work/wrong"
    while read -r wrong; do
        bad "$dialect $wrong"
        grep -F "[\"${wrong% *}\",\"${wrong#* }\"," "$work/difference" | head -n 3 | sed 's/^\t/     too much /; s/^\[/     missing [/'
    done <"$work/wrong"
    [ -s "$work/asked" ] && [ -s "$got" ] || bad "$dialect: nothing was asked or answered"
    passed=$((passed + $(wc -l <"$work/asked") - $(wc -l <"$work/wrong")))
    echo "$dialect: $(wc -l <"$got") members, $(wc -l <"$work/asked") definitions asked, $(wc -l <"$work/wrong") wrong, $(wc -l <"$work/$dialect.refused") refused"
}

for dialect in postgres duckdb spark; do
    if "$build/muster" segments sql-tables --dialect "$dialect" | cmp -s - "schemas/event-table/$dialect.sql"; then
        ok
    else
        bad "schemas/event-table/$dialect.sql is not what sql-tables prints"
    fi
done

# ---- PostgreSQL ----------------------------------------------------------------------------------------------------

unset MUSTER_STORE_CONNINFO MUSTER_STORE_ADMIN_CONNINFO # never somebody's real store
deploy/local/stack up "$stack" 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
eval "$(deploy/local/stack env "$stack")"
server="${MUSTER_STORE_ADMIN_CONNINFO/ user=muster_owner/}"
server="${server/dbname=muster/dbname=postgres} user=postgres"
database=muster_sql_$$
psql -q -X -v ON_ERROR_STOP=1 "$server" -c "CREATE DATABASE $database"
connection="${server/dbname=postgres/dbname=$database}"

prepare postgres
"$build/muster" segments sql-tables --dialect postgres >"$work/postgres/tables.sql"
{
    echo "SET client_min_messages = warning; SET statement_timeout = '60s'; SET jit = off;"
    for name in $(ls "$work/cases"); do
        echo "DROP TABLE IF EXISTS muster_messages, muster_events;"
        sed -n '/^INSERT INTO/q;p' "$work/postgres/tables.sql"
        echo "\\copy muster_messages FROM '$work/postgres/$name/rows.csv' WITH (FORMAT csv, HEADER)"
        sed -n '/^INSERT INTO/,$p' "$work/postgres/tables.sql"
        echo "ANALYZE muster_events;"
        while read -r id; do
            [ -e "$work/postgres/$name/$id.sql" ] || continue
            while read -r at; do
                echo "\\set as_of $at"
                echo "SELECT json_build_array('$name', '$id', '$at', user_id) FROM ("
                cat "$work/postgres/$name/$id.sql"
                echo ") q;"
            done <"$work/cases/$name/instants"
        done <"$work/cases/$name/ids"
    done
} >"$work/postgres.script"
psql -q -X -A -t "$connection" -f "$work/postgres.script" >"$work/postgres.out" 2>"$work/postgres.err" || true
if [ -s "$work/postgres.err" ]; then
    bad "PostgreSQL: $(grep -c ERROR "$work/postgres.err") errors"
    grep -A2 ERROR "$work/postgres.err" | head -n 8
fi
jq -c . "$work/postgres.out" >"$work/postgres.got"
compare postgres "$work/postgres.got"

# ---- DuckDB, and a parser for Spark's text -----------------------------------------------------------------------------

cache=${MUSTER_PYTHON_CACHE:-/var/tmp/muster-python-$(id -u)}
can_import() { PYTHONPATH=$cache python3 -c "import $1" 2>/dev/null; }
have() { # python module, kept for the next time
    [ "$cache" != none ] && command -v python3 >/dev/null || return 1
    can_import "$1" && return
    timeout 60 python3 -m pip install --quiet --disable-pip-version-check --target "$cache" "$1" >/dev/null 2>&1 && can_import "$1"
}

if have duckdb; then
    prepare duckdb
    "$build/muster" segments sql-tables --dialect duckdb >"$work/duckdb/tables.sql"
    PYTHONPATH=$cache python3 tests/integration/sql_duckdb.py "$work" >"$work/duckdb.out" 2>"$work/duckdb.err" || true
    if [ -s "$work/duckdb.err" ]; then
        bad "DuckDB: $(wc -l <"$work/duckdb.err") errors"
        head -n 5 "$work/duckdb.err"
    fi
    jq -c . "$work/duckdb.out" >"$work/duckdb.got"
    compare duckdb "$work/duckdb.got"
else
    echo "duckdb: not to be had here; nothing of it is counted"
fi

if have sqlglot; then
    prepare spark
    "$build/muster" segments sql-tables --dialect spark >"$work/spark/tables.sql"
    if PYTHONPATH=$cache python3 tests/integration/sql_spark.py "$work/spark"; then ok; else bad "Spark's text does not parse"; fi
else
    echo "spark: no parser to be had here; nothing of it is counted"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
