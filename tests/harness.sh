# shellcheck shell=bash
# What every test script on real servers needs; sourced from the top of the tree with the build folder as $1.
#
# Gives: $build (from the root on), $work (a folder of this run, removed at the end), $stack (MUSTER_STACK_DIR, if a stack is up already, else
# one of its own that is taken down at the end), check, exits, finish. A script that starts processes defines
# `cleanup_first`, which runs before the servers go.
build=$(cd "$1" && pwd)
work=$(mktemp -d "/var/tmp/muster-$(basename "$0" .sh)-test.XXXXXX")
chmod 755 "$work" # the unprivileged user that runs PostgreSQL must get through
stack=${MUSTER_STACK_DIR:-$work/stack}
passed=0
failed=0
# Never somebody's real servers: stores are dropped, topics and keys removed.
unset MUSTER_STORE_CONNINFO MUSTER_STORE_ADMIN_CONNINFO MUSTER_REDIS_URL MUSTER_KAFKA_BOOTSTRAP_SERVERS MUSTER_CONF

cleanup_first() { :; }
cleanup() {
    cleanup_first
    [ -n "${MUSTER_STACK_DIR:-}" ] || deploy/local/stack down --purge "$stack" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT

# check DESCRIPTION COMMAND...: the command must succeed; where it does not, the end of $work/out and $work/err is shown.
check() {
    local what=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok   $what"
    else
        failed=$((failed + 1))
        echo "FAIL $what"
        tail -n 3 "$work/out" "$work/err" 2>/dev/null | cut -c1-300 | sed 's/^/     /'
    fi
}

# exits STATUS COMMAND...: the command ends with that status.
exits() {
    local wanted=$1 status=0
    shift
    "$@" || status=$?
    [ "$status" -eq "$wanted" ] || { echo "     exit $status, not $wanted"; return 1; }
}

# The line that tests/run-all reads, and the exit status.
finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
