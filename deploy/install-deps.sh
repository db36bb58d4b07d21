#!/usr/bin/env bash
# Installs the Debian packages that building, testing and the demo need, and only those that are missing.
# Needs root or sudo; without either it prints the one command to run and exits 2. --fuzz: what `make fuzz` needs as
# well, which nothing else does.
set -euo pipefail

packages=(
    gcc make pkg-config libc6-dev                                          # build
    libpq-dev librdkafka-dev libhiredis-dev libcjson-dev libssl-dev check  # libraries
    clang-format-14                                                        # make check
    postgresql redis-server                              # local stack: store, serving
    openjdk-17-jre-headless maven                                          # local stack: Kafka and its jars
    kcat jq python3 python3-pip                          # tests; DuckDB, which generated SQL is asked in, comes by pip
    tzdata util-linux procps gzip
)
if [ "${1:-}" = --fuzz ]; then
    packages+=(clang-14 libclang-rt-14-dev)
fi

# A JDK of another origin, or Maven unpacked by hand, serves as well: do not install what is already there.
have_command() {
    case $1 in
    openjdk-17-jre-headless) command -v java >/dev/null && java -version 2>&1 | grep -qE 'version "(1[7-9]|[2-9][0-9])' ;;
    maven) command -v mvn >/dev/null ;;
    clang-format-14) command -v clang-format-14 >/dev/null ;;
    python3) command -v python3 >/dev/null ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 ;;
    *) return 1 ;;
    esac
}

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$state" = "install ok installed" ] && continue
    have_command "$package" && continue
    missing+=("$package")
done

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "install-deps: this is not a Debian system; install the equivalents of: ${missing[*]}" >&2
    exit 2
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root=(sudo)
    else
        echo "install-deps: packages are missing; run this once, then try again:" >&2
        echo "  sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends ${missing[*]}'" >&2
        exit 2
    fi
fi

echo "install-deps: installing ${missing[*]}" >&2
# Muster starts servers of its own: a package's default server is not wanted, so nothing is started on installation.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
