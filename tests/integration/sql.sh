#!/usr/bin/env bash
# Generated SQL against the evaluator, in PostgreSQL and, where it can be had, DuckDB: every definition of the conformance
# cases at several instants, random cases of the oracle, and the retail data. Members everywhere; entered_at and
# valid_until, and the history, for the random cases and the retail data, and with MUSTER_TEST_LONG=1 for all. What is
# refused is listed and counted, and is no failure; the list of reasons is closed, so a new refusal is one. Spark's text is
# parsed where a parser can be had; with MUSTER_TEST_LONG=1 a real Spark is asked, each query at one instant, of a random
# case one query.
#
# usage: tests/integration/sql.sh BUILD_DIRECTORY     MUSTER_STACK_DIR names a stack that is up already
#        MUSTER_PYTHON_CACHE: where duckdb, sqlglot and pyspark (500 MB, needs Java 17) are kept (default /var/tmp/muster-python-UID); "none": do without
#        MUSTER_TEST_LONG=1: more instants, and thousands of random cases; MUSTER_ORACLE_SEED=N: the first of them
#        RETAIL_FULL=FOLDER: the full retail data (online_retail.csv.gz, members_DATE.csv.gz), in PostgreSQL members alone
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/harness.sh
edges=1 # of memberships, by case
kinds=members
random_cases=300 duckdb_cases=100 spark_cases=10
seed=${MUSTER_ORACLE_SEED:-1}
[ -z "${MUSTER_TEST_LONG:-}" ] || edges=6 kinds='members times intervals' random_cases=10000 duckdb_cases=3000 spark_cases=500
export LC_ALL=C MUSTER_CONF=/dev/null
cleanup_first() {
    [ -z "${database:-}" ] || psql -q -X "$server" -c "DROP DATABASE IF EXISTS $database WITH (FORCE)" >/dev/null 2>&1 || true
}

ok() { passed=$((passed + ${1:-1})); }
bad() {
    failed=$((failed + 1))
    echo "FAILED $1"
}

# ---- what is asked of a case, and what the evaluator says: ["case","segment","at","rows","user"(,entered,left)] ----------

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

# CASE AT KIND, then what eval prints. An end beyond the instant asked about is no end of a history yet.
answers() {
    jq -R -c '
        def ms: if . == null then null else (.[0:19] + "Z" | fromdateiso8601) * 1000 + (.[20:23] | tonumber) end;
        capture("^(?<case>[^ ]*) (?<at>[^ ]*) (?<kind>[^ ]*) (?<row>.*)$") | (.row | fromjson) as $row
        | [.case, $row.segment, .at, .kind, $row.user]
          + (if .kind == "members" then [] else [$row.entered_at, $row.valid_until // $row.left_at | ms] end)'
}

# Asks the evaluator about a case; its folder names the ids and the instants.
evaluate() { # case, definitions, events, kinds
    local at kind
    while read -r at; do
        "$build/muster" eval --segments "$2" --events "$3" --as-of "$at" --format jsonl 2>/dev/null >"$work/rows"
        for kind in $4; do
            case $kind in
            intervals) "$build/muster" eval --segments "$2" --events "$3" --as-of "$at" --format jsonl --intervals 2>/dev/null ;;
            *) cat "$work/rows" ;;
            esac | sed "s/^/$1 $at $kind /"
        done
    done <"$work/cases/$1/instants"
}

# Cases of our own: copies whose chain is longer than the span, numbers and timestamps at the edges of what engines read,
# values of other types than the rule's.
mkdir -p "$work/own/copies" "$work/own/edges"
cat >"$work/own/copies/segments.json" <<'END'
[{"segmentId": "two", "criteria": [{"event": "e", "count": {"=": 2}}]},
 {"segmentId": "three", "criteria": [{"event": "e", "count": {"=": 3}}]}]
END
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
    evaluate "$name" "$case/segments.json" "$case/events.jsonl" "$kinds"
done | answers >"$work/expected"

# The retail data. Its messages as JSON lines for the evaluator are made of the rows that the tables are filled with; its
# members must be those of the known lists.
retail=tests/data/retail
mkdir "$work/cases/retail"
ls "$retail/segments" | sed -n 's/\.json$//p' >"$work/cases/retail/ids"
gzip -dc "${RETAIL_FULL:-$retail}/online_retail.csv.gz" >"$work/retail.csv"
prepare_retail() { # psql's connection
    local date
    for date in 2011-06-01 2011-12-10; do
        date -u -d "$date" +%s%3N
    done >"$work/cases/retail/instants"
    "$build/muster" segments sql-events "$work/retail.csv" --map "$retail/retail.map" --dialect postgres >"$work/retail.rows" 2>/dev/null
    {
        sed -n '/^INSERT INTO/q;p' "$work/tables.sql"
        echo "\\copy muster_messages FROM '$work/retail.rows' WITH (FORMAT csv, HEADER)"
        echo "SELECT json_build_object('type', kind, 'messageId', message_id, 'userId', user_id, 'timestamp', event_time,
                                       'event', name, 'properties', properties) FROM muster_messages ORDER BY event_no;"
        echo "DROP TABLE muster_messages, muster_events;"
    } | psql -q -X -A -t "$1" >"$work/retail.jsonl"
    evaluate retail "$retail/segments" "$work/retail.jsonl" 'members times intervals' | answers >"$work/retail.expected"
    for date in 2011-06-01 2011-12-10; do
        if [ -n "${RETAIL_FULL:-}" ]; then gzip -dc "$RETAIL_FULL/members_$date.csv.gz"; else cat "$retail/members_$date.csv"; fi |
            sed 's/\r$//' | jq -R -c --arg at "$(date -u -d "$date" +%s%3N)" \
            'split(",") | select(.[0] != "segment") | ["retail", .[0], $at, "members", .[1]]'
    done | sort >"$work/retail.list"
    if grep '"members"' "$work/retail.expected" | sort | cmp -s - "$work/retail.list"; then ok; else bad "muster eval: the retail lists"; fi
    sort -o "$work/expected" "$work/expected" "$work/retail.expected"
}

# ---- queries and rows ------------------------------------------------------------------------------------------------

kinds_of() { # dialect, case
    case $1$2${RETAIL_FULL:+full} in
    postgresretailfull) echo members ;;
    *retail*) echo members times intervals ;;
    *) echo "$kinds" ;;
    esac
}

# Of a dialect: DIALECT/CASE/ID.KIND.sql, DIALECT/CASE/rows.csv; "CASE ID: reason" of the refused.
prepare() { # dialect
    local began=$SECONDS
    local dialect=$1 name id file folder kind
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
            for kind in $(kinds_of "$dialect" "$name"); do
                "$build/muster" segments sql "$id" --segments "$file" --dialect "$dialect" --rows "$kind" \
                    >"$work/$dialect/$name/$id.$kind.sql" 2>"$work/said" && continue
                [ $? -eq 4 ] || bad "$dialect $name $id: $(tail -n 1 "$work/said")"
                rm "$work/$dialect/$name/$id.$kind.sql"
                echo "$name $id: $(head -n 1 "$work/said")" >>"$work/$dialect.refused"
            done
        done <"$work/cases/$name/ids"
    done
    refusals "$dialect"
    echo "$dialect: written in $((SECONDS - began)) s"
}

# Counts the reasons; one that is not known is a failure.
refusals() { # dialect
    sed -n 's/.*: \(.*contains.*\)/\1/p; t; s/.*/unknown reason: &/p' "$work/$1.refused" |
        sort | uniq -c >"$work/said"
    sed "s/^/$1 refused:/" "$work/said"
    if grep -q 'unknown reason: ' "$work/said"; then bad "$1: refused for an unknown reason"; fi
}

# Counts each definition of each case: equal at all instants and in all kinds of rows, or not.
compare() { # dialect, expected, got, "CASE SEGMENT" of all that was asked
    local dialect=$1 wrong
    sort "$3" | comm -3 "$2" - >"$work/difference"
    sed 's/^\t//' "$work/difference" | jq -r '"\(.[0]) \(.[1])"' | sort -u | comm -12 - "$4" >"$work/wrong"
    while read -r wrong; do
        bad "$dialect $wrong"
        grep -F "[\"${wrong% *}\",\"${wrong#* }\"," "$work/difference" | head -n 3 | sed 's/^\t/     too much /; s/^\[/     missing [/'
    done <"$work/wrong"
    [ -s "$4" ] && [ -s "$3" ] || bad "$dialect: nothing was asked or answered"
    ok $(($(wc -l <"$4") - $(wc -l <"$work/wrong")))
    echo "$dialect: $(wc -l <"$3") rows, $(wc -l <"$4") definitions asked, $(wc -l <"$work/wrong") wrong, $(wc -l <"$work/$dialect.refused") refused"
}

compare_cases() { # dialect
    (cd "$work/$1" && ls -- */*.sql) | sed 's/\.[a-z]*\.sql$//; s|/| |' | sort -u >"$work/asked"
    jq -c . "$work/$1.out" >"$work/got"
    if [ "$1${RETAIL_FULL:+full}" = postgresfull ]; then
        grep -Ev '^\["retail",.*"(times|intervals)"' "$work/expected" >"$work/wanted"
    else
        cp "$work/expected" "$work/wanted"
    fi
    compare "$1" "$work/wanted" "$work/got" "$work/asked"
}

# Random cases: what `oracle queries` printed is answered in $work/DIALECT.out.
compare_random() { # dialect
    local seed
    jq -c . "$work/$1.expected" | sort >"$work/wanted"
    sort -u "$work/$1.asked" >"$work/asked"
    jq -c . "$work/$1.out" >"$work/got"
    echo "$1: $(cut -d ' ' -f 1 "$work/asked" | uniq | wc -l) random cases"
    compare "$1" "$work/wanted" "$work/got" "$work/asked"
    refusals "$1"
    for seed in $(cut -d ' ' -f 1 "$work/wrong" | uniq | head -n 3); do
        echo "     $build/oracle show $seed"
        "$build/oracle" show "$seed" | sed 's/^/     /'
    done
}

errors() { # engine, its standard error
    if [ -s "$2" ]; then
        bad "$1: $(wc -l <"$2") lines of errors"
        head -n 5 "$2"
    fi
}

for dialect in postgres duckdb spark; do
    if "$build/muster" segments sql-tables --dialect "$dialect" | cmp -s - "schemas/event-table/$dialect.sql"; then
        ok
    else
        bad "schemas/event-table/$dialect.sql is not what sql-tables prints"
    fi
done

# ---- PostgreSQL ------------------------------------------------------------------------------------------------------

deploy/local/stack up "$stack" 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
eval "$(deploy/local/stack env "$stack")"
server="${MUSTER_STORE_ADMIN_CONNINFO/ user=muster_owner/}"
server="${server/dbname=muster/dbname=postgres} user=postgres"
database=muster_sql_$$
psql -q -X -v ON_ERROR_STOP=1 "$server" -c "CREATE DATABASE $database"
connection="${server/dbname=postgres/dbname=$database}"
settings="SET client_min_messages = warning; SET statement_timeout = '60s'; SET jit = off;"

"$build/muster" segments sql-tables --dialect postgres >"$work/tables.sql"
prepare_retail "$connection"
prepare postgres
{
    echo "$settings"
    for name in $(ls "$work/cases"); do
        echo "DROP TABLE IF EXISTS muster_messages, muster_events;"
        sed -n '/^INSERT INTO/q;p' "$work/tables.sql"
        echo "\\copy muster_messages FROM '$work/postgres/$name/rows.csv' WITH (FORMAT csv, HEADER)"
        sed -n '/^INSERT INTO/,$p' "$work/tables.sql"
        echo "ANALYZE muster_events;"
        while read -r id; do
            for kind in $(kinds_of postgres "$name"); do
                [ -e "$work/postgres/$name/$id.$kind.sql" ] || continue
                columns=
                [ "$kind" != times ] || columns=', entered_at, valid_until'
                [ "$kind" != intervals ] || columns=', entered_at, left_at'
                while read -r at; do
                    echo "\\set as_of $at"
                    echo "SELECT json_build_array('$name', '$id', '$at', '$kind', user_id$columns) FROM ("
                    cat "$work/postgres/$name/$id.$kind.sql"
                    echo ") q;"
                done <"$work/cases/$name/instants"
            done
        done <"$work/cases/$name/ids"
    done
} >"$work/postgres.script"
began=$SECONDS
psql -q -X -A -t "$connection" -f "$work/postgres.script" >"$work/postgres.out" 2>"$work/postgres.err" || true
errors PostgreSQL "$work/postgres.err"
compare_cases postgres
echo "postgres: asked in $((SECONDS - began)) s"

echo "random cases from seed $seed"
"$build/oracle" queries postgres "$work/postgres.expected" "$work/postgres.asked" "$work/postgres.refused" "$random_cases" "$seed" \
    >"$work/postgres.questions"
{
    echo "$settings DROP TABLE muster_messages, muster_events;"
    sed -n '/^INSERT INTO/q;p' "$work/tables.sql"
    cat "$work/postgres.questions"
} >"$work/postgres.script"
began=$SECONDS
psql -q -X -A -t "$connection" -f "$work/postgres.script" >"$work/postgres.out" 2>"$work/postgres.err" || true
errors PostgreSQL "$work/postgres.err"
compare_random postgres
echo "postgres: asked in $((SECONDS - began)) s"

# ---- DuckDB ----------------------------------------------------------------------------------------------------------

cache=${MUSTER_PYTHON_CACHE:-/var/tmp/muster-python-$(id -u)}
can_import() { PYTHONPATH=$cache python3 -c "import $1" 2>/dev/null; }
have() { # python module, seconds it may take to get; kept for the next time
    [ "$cache" != none ] && command -v python3 >/dev/null || return 1
    can_import "$1" && return
    timeout "${2:-60}" python3 -m pip install --quiet --disable-pip-version-check --target "$cache" "$1" >/dev/null 2>&1 && can_import "$1"
}

if have duckdb; then
    prepare duckdb
    began=$SECONDS
    "$build/muster" segments sql-tables --dialect duckdb >"$work/duckdb.tables"
    PYTHONPATH=$cache python3 tests/integration/sql_duckdb.py cases "$work/duckdb.tables" "$work" \
        >"$work/duckdb.out" 2>"$work/duckdb.err" || true
    errors DuckDB "$work/duckdb.err"
    compare_cases duckdb
    echo "duckdb: asked in $((SECONDS - began)) s"
    began=$SECONDS
    "$build/oracle" queries duckdb "$work/duckdb.expected" "$work/duckdb.asked" "$work/duckdb.refused" "$duckdb_cases" "$seed" |
        PYTHONPATH=$cache python3 tests/integration/sql_duckdb.py queries "$work/duckdb.tables" \
            >"$work/duckdb.out" 2>"$work/duckdb.err" || true
    errors DuckDB "$work/duckdb.err"
    compare_random duckdb
    echo "duckdb: asked in $((SECONDS - began)) s"
else
    echo "duckdb: not to be had here; nothing of it is counted"
fi

# ---- Spark -----------------------------------------------------------------------------------------------------------

# Asks it, and compares with those of the wanted rows that its questions are about.
ask_spark() { # cases, or queries from standard input; what is expected
    PYTHONPATH=$cache nice -n 5 python3 tests/integration/sql_spark.py "$1" "$work/spark.tables" "$work" \
        >"$work/spark.out" 2>"$work/spark.log" || { bad "Spark ended"; tail -n 5 "$work/spark.log"; }
    errors Spark "$work/spark.errors"
    sed 's/,$/]/' "$work/spark.questions" | jq -r '"\(.[0]) \(.[1])"' | sort -u >"$work/asked"
    grep -F -f "$work/spark.questions" "$2" | sort -u >"$work/wanted" || true # some are wanted at one instant twice
    jq -c . "$work/spark.out" >"$work/got"
    cat "$work/spark.report"
    compare spark "$work/wanted" "$work/got" "$work/asked"
}

"$build/muster" segments sql-tables --dialect spark >"$work/spark.tables"
prepare spark
"$build/oracle" queries spark "$work/spark.expected" "$work/spark.asked" "$work/spark.random" "$spark_cases" "$seed" \
    >"$work/spark.texts"
if have sqlglot; then
    cp "$work/spark.tables" "$work/spark/tables.sql"
    if head -n 300 "$work/spark.texts" | PYTHONPATH=$cache python3 tests/integration/sql_spark.py parse "$work/spark"; then
        ok
    else
        bad "Spark's text does not parse"
    fi
    rm "$work/spark/tables.sql"
else
    echo "spark: no parser to be had here; nothing of it is counted"
fi
if [ -n "${MUSTER_TEST_LONG:-}" ]; then
    if command -v java >/dev/null && have pyspark 600; then
        ask_spark cases "$work/expected"
        jq -c . "$work/spark.expected" >"$work/spark.rows"
        mv "$work/spark.random" "$work/spark.refused"
        refusals spark
        ask_spark queries "$work/spark.rows" <"$work/spark.texts"
    else
        echo "spark: not to be had here; nothing of it is run"
    fi
fi

finish
