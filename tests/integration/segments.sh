#!/usr/bin/env bash
# muster segments: definitions from files into a real store.
#
# usage: tests/integration/segments.sh BUILD_DIRECTORY      MUSTER_STACK_DIR names a stack that is up already
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/harness.sh

run() { "$@" >"$work/out" 2>"$work/err"; }
segments() { run "$build/muster" segments "$@"; }
says() { grep -qF -- "$1" "$work/out" "$work/err"; }
sql() { psql -q -X -A -t -F, -v ON_ERROR_STOP=1 "$MUSTER_STORE_ADMIN_CONNINFO" -c "SET search_path = muster" -c "$1"; }
gives() { # EXPECTED SQL
    local got
    got=$(sql "$2")
    [ "$got" = "$1" ] || { echo "     expected $1, got $got"; return 1; }
}
definition() { # FILE ID CRITERION [MORE]
    printf '{"segmentId": "%s", "criteria": [%s]%s}\n' "$2" "$3" "${4:-}" >"$work/$1"
}
fresh_store() {
    local database=${MUSTER_STORE_ADMIN_CONNINFO/ user=muster_owner/}
    psql -q -X -v ON_ERROR_STOP=1 "${database/dbname=muster/dbname=postgres} user=postgres" \
        -c 'DROP DATABASE IF EXISTS muster WITH (FORCE)' -c 'CREATE DATABASE muster OWNER muster_owner' 2>/dev/null
    "$build/muster-reconcile" migrate >/dev/null 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
}

deploy/local/stack up "$stack" 2>"$work/err" || { cat "$work/err" >&2; exit 1; }
eval "$(deploy/local/stack env "$stack")"
export MUSTER_CONF=/dev/null
fresh_store
mkdir "$work/d" "$work/empty" "$work/bad"

# ---- validate -----------------------------------------------------------------------------------------------------

definition d/vip.json vip '{"event": "purchase", "sum": {"property": "amount", ">=": 100}}'
definition d/risk.json at_risk '{"segment": "vip"}, {"not": {"event": "login", "window": "2d"}}'
definition d/lone.json lone '{"event": "visit"}' ', "lawfulBasis": "contract"'
printf 'not a definition\n' >"$work/d/README"
printf '{' >"$work/d/.hidden.json"
check 'validate accepts a folder' exits 0 segments validate "$work/d"
check '  and counts what it read' says '3 definitions in 3 files: right'
check 'validate needs no server' exits 0 run env MUSTER_STORE_CONNINFO=host=/nowhere "$build/muster" segments validate "$work/d"
check 'a missing file is exit 3' exits 3 segments validate "$work/none.json"
check 'a folder without definitions is exit 4' exits 4 segments validate "$work/empty"
definition bad/a.json a '{"event": "x", "window": "30 min"}'
check 'a broken definition is exit 4' exits 4 segments validate "$work/bad"
check '  with file and path' says "$work/bad/a.json:1: \$.criteria[0].window: expected a duration"
definition bad/a.json a '{"event": "x", "window": {"calendar": "day", "zone": "Europe/Berln"}}'
check 'an unknown time zone is exit 4' exits 4 segments validate "$work/bad"
check '  with its path' says '$.criteria[0].window.zone: this machine knows no time zone "Europe/Berln"'
cp "$work/d/vip.json" "$work/bad/b.json"
cp "$work/d/vip.json" "$work/bad/a.json"
check 'two documents with one id are exit 4' exits 4 segments validate "$work/bad"
check '  and both are named' says "b.json:1: \$.segmentId: segment \"vip\" is already defined in $work/bad/a.json"
rm "$work"/bad/*
unbounded='{"event": "x", "notFollowedBy": {"event": "y"}, "within": "1d", "orLater": true, "same": ["sku"]}'
definition bad/u.json u "$unbounded"
check 'unbounded state is a warning of validate' exits 0 segments validate --format csv "$work/bad"
check '  by name' says 'notFollowedBy with orLater and same but no window'
printf '[{"segmentId": "m",\n"ownr": "x",\n"criteria": [{"event": "x", "windw": "1d"},\n{"event": "x", "count": {"<": 0}},\n{"segment": "u"}]},\n{"segmentId": "m", "criteria": []}]\n' >"$work/bad/m.json"
printf '{,' >"$work/bad/n.json"
check 'all problems are told at once' exits 4 segments validate "$work/bad"
check '  one a line' test "$(wc -l <"$work/out")" = 6
check '  a misspelt key' says "$work/bad/m.json:2: \$[0]: unknown key \"ownr\" in a segment definition (an object): did you mean \"owner\"?"
check '  in a criterion' says 'm.json:3: $[0].criteria[0]: unknown key "windw" in an event criterion: did you mean "window"?'
check '  a comparison that nothing satisfies' says 'm.json:4: $[0].criteria[1].count: impossible: no count'
check '  an id that occurs twice' says 'm.json:6: $[1].segmentId: segment "m" is already defined'
check '  an empty array' says 'm.json:6: $[1].criteria: expected a non-empty array of criteria'
check '  a file that is no JSON' says 'n.json:1: $: not JSON:'
check '  and the number of them' says 'muster: 6 problems and 0 warnings in 3 files'
check 'for programs, too' exits 4 segments validate --format jsonl "$work/bad"
check '  with the word that was meant' says '"kind":"form","message":"unknown key \"windw\" in an event criterion: did you mean \"window\"?","suggestion":"window"'
rm "$work/bad/m.json" "$work/bad/n.json"
definition bad/i.json i '{"event": "x", "count": {">": 5, "<": 3}}'
check 'an impossible rule is exit 4' exits 4 segments validate "$work/bad/i.json"
check '  unless it is allowed' exits 0 segments validate --allow-impossible "$work/bad/i.json"
check '  then with a warning' says 'warning: impossible: no count'
check 'apply refuses it' exits 4 segments apply "$work/bad/i.json"
check '  with the place' says 'i.json:1: $.criteria[0].count: impossible:'
check '  and stores nothing' gives 0 'SELECT count(*) FROM segments'
check '  unless it is allowed' exits 0 segments apply --dry-run --allow-impossible "$work/bad/i.json"
echo '{"type":"track","userId":"u","event":"x","timestamp":"2026-01-01T00:00:00Z"}' >"$work/x.jsonl"
check 'eval evaluates it' exits 0 run "$build/muster" eval --segments "$work/bad/i.json" --events "$work/x.jsonl"
rm "$work/bad/i.json"
check 'a closed pipe is quiet' exits 0 bash -c "'$build/muster' segments validate '$work/d' 2>'$work/err' | true; exit \${PIPESTATUS[0]}"
check '  really' test ! -s "$work/err"
check 'a full disk is exit 70' exits 70 bash -c "'$build/muster' segments validate '$work/d' >/dev/full 2>'$work/err'"

# ---- apply --------------------------------------------------------------------------------------------------------

cp "$work"/d/*.json "$work/bad/"
check 'apply refuses unbounded state' exits 4 segments apply "$work/bad"
check '  and stores nothing of the folder' gives '0,0,0' \
    'SELECT (SELECT count(*) FROM segments), (SELECT count(*) FROM definitions), (SELECT count(*) FROM control)'
definition bad/u.json u "$unbounded" ', "evaluation": "batch"'
check 'a dry run works' exits 0 segments apply --dry-run "$work/bad"
check '  and stores nothing' gives 0 'SELECT count(*) FROM definitions'
check 'apply stores all' exits 0 segments apply --author ada --commit 1234abcd "$work/d"
check '  as version 1' gives 'at_risk,1,ada,1234abcd;lone,1,ada,1234abcd;vip,1,ada,1234abcd' \
    "SELECT string_agg(concat_ws(',', segment_id, version, author, commit_id), ';' ORDER BY segment_id)
     FROM definitions JOIN segments USING (segment_no)"
check '  with the text as written and its digest' gives 0 \
    "SELECT count(*) FROM definitions WHERE sha256 <> sha256(convert_to(document, 'UTF8'))"
check '  and the purpose it needs' gives 'at_risk:marketing,lone:none,vip:marketing' \
    "SELECT string_agg(segment_id || ':' || coalesce(purpose, 'none'), ',' ORDER BY segment_id)
     FROM definitions JOIN segments USING (segment_no) LEFT JOIN purposes USING (purpose_no)"
check '  and a control line each' gives 3 "SELECT count(*) FROM control WHERE kind = 'definition_applied' AND version = 1"
check 'apply again makes nothing' exits 0 segments apply "$work/d"
check '  no version' gives 3 'SELECT count(*) FROM definitions'
check '  no control line' gives 3 'SELECT count(*) FROM control'

definition d/vip.json vip '{"event": "purchase", "sum": {"property": "amount", ">=": 120}}'
rm "$work/d/risk.json"
check 'a change is applied' exits 0 segments apply "$work/d"
check '  who refers to it follows, without its file' gives 'at_risk@2>vip@2' \
    "SELECT s.segment_id || '@' || r.version || '>' || t.segment_id || '@' || to_version FROM definition_references r
     JOIN segments s USING (segment_no) JOIN segments t ON t.segment_no = to_segment_no WHERE r.version = 2"
check '  who does not stays' gives 1 "SELECT max(version) FROM definitions JOIN segments USING (segment_no) WHERE segment_id = 'lone'"
check '  and the file that is gone is spoken of' says 'removing a file retires nothing): at_risk'
check '  the old version stands' gives 'vip@1' \
    "SELECT t.segment_id || '@' || to_version FROM definition_references r JOIN segments t ON t.segment_no = to_segment_no
     WHERE r.version = 1"
definition d/cycle.json cycle '{"segment": "at_risk"}'
check 'a file may refer to a stored segment' exits 0 segments apply "$work/d/cycle.json"
definition d/vip.json vip '{"segment": "cycle"}'
check 'a cycle through the store is refused' exits 4 segments apply "$work/d/vip.json"
check '  and named' says 'references form a cycle:'

git init -q "$work/git"
definition git/g.json g '{"event": "x"}'
git -C "$work/git" add g.json
git -C "$work/git" -c user.name=t -c user.email=t@example.org commit -q -m g
git -C "$work/git" config user.name 'Grace Hopper'
check 'in a repository' exits 0 segments apply "$work/git"
check '  author and commit are known' gives "Grace Hopper,$(git -C "$work/git" rev-parse HEAD)" \
    "SELECT author, commit_id FROM definitions JOIN segments USING (segment_no) WHERE segment_id = 'g'"
definition git/g.json g '{"event": "y"}'
check 'with changes that are not committed' exits 0 segments apply "$work/git/g.json"
check '  the commit says so' gives "$(git -C "$work/git" rev-parse HEAD)+changes" \
    "SELECT commit_id FROM definitions JOIN segments USING (segment_no) WHERE segment_id = 'g' AND version = 2"

before=$(sql 'SELECT count(*) FROM definitions')
mkdir "$work/many"
for i in $(seq 40); do definition "many/m$i.json" "m$i" '{"event": "x"}'; done
pids=()
for i in 1 2 3 4; do
    "$build/muster" segments apply "$work/many" >"$work/out.$i" 2>&1 &
    pids+=($!)
done
together() { local pid; for pid in "${pids[@]}"; do wait "$pid" || return 1; done; }
check 'four at once all succeed' together
check '  and make each version once' gives $((before + 40)) 'SELECT count(*) FROM definitions'

# ---- list, show ---------------------------------------------------------------------------------------------------

check 'list works' exits 0 segments list --format csv
check '  with the newest version' says 'vip,2,,hybrid,streaming_first,marketing,'
check 'show works' exits 0 segments show vip
check '  with the text as written' says '{"segmentId": "vip", "criteria": [{"event": "purchase", "sum": {"property": "amount", ">=": 120}}]}'
check 'an older version too' exits 0 segments show vip --version 1 --format jsonl
check '  with its author' says '"author":"ada","commit":"1234abcd"'
check 'an unknown segment is exit 4' exits 4 segments show nobody
check '... an unknown version too' exits 4 segments show vip --version 99
definition bad/u.json u "$unbounded" ', "evaluation": "batch"'
check 'a lateness below 0 is none' exits 2 segments cost "$work/bad/u.json" --lateness-days -1
check '  and which option is meant' says '--lateness-days: expected 0 to 36525, got -1'
check 'cost works' exits 0 segments cost "$work/bad/u.json" --events-per-day 3 --lateness-days 10 --format csv
check '  and says why a rule does not stream' says 'u,no,unlimited,'
check '  by name' says 'notFollowedBy with orLater and same but no window'
check 'operators prints the table' exits 0 segments operators --format csv
check '  with where each may stand' says 'startsWith,comparison,"values (where, trait, latest, earliest)",a string,'
check 'the committed reference is the one that it prints' cmp -s schemas/segment-language.md <("$build/muster" segments operators --format markdown)
check 'diff of the last two versions' exits 0 segments diff vip --format csv
check '  says what changed' says 'vip,criteria[0],the comparison changed from >= 100 to >= 120'
check '  and what it means' says 'vip,,who may be a member becomes narrower'
check '  the other way round' exits 0 segments diff vip --from 2 --to 1 --format csv
check '  means the opposite' says 'vip,,who may be a member becomes wider'
check '  of one that only follows a reference too' exits 0 segments diff at_risk --from 1 --to 2 --format csv
check '  says which' says 'at_risk,,what it refers to changed from vip@1 to vip@2'
check 'a first version has none before it' exits 2 segments diff lone
check 'diff of files needs no server' exits 0 run env MUSTER_STORE_CONNINFO=host=/nowhere "$build/muster" segments diff "$work/d" "$work/many"
check '  and names what is gone' says 'the segment was removed'
check 'one file needs another' exits 2 segments diff "$work/d"
check '  and is not looked for in the store' says 'expected a second file to compare this one with'
mkdir "$work/before" "$work/after"
definition before/c.json c '{"event": "x"}'
definition after/c.json c '{"event": "x"}' ', "purpose": "billing"'
check 'diff where only the purpose changed' exits 0 segments diff "$work/before" "$work/after" --format csv
check '  says what that leaves' says 'c,,the rule takes the same users; consent may let others of them through than before'
check 'files have no versions' exits 2 segments diff "$work/d" "$work/d" --from 1
check 'an unreachable store is exit 3' exits 3 run env MUSTER_STORE_CONNINFO='host=127.0.0.1 port=1' "$build/muster" segments list
check 'the operator cannot rewrite a definition' exits 1 run psql -q -X "$MUSTER_STORE_CONNINFO user=muster_operator" \
    -c "UPDATE muster.definitions SET document = ''"
check '  by privilege' says 'permission denied for table definitions'

finish
