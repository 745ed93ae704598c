#!/bin/sh
# Puts the platform to its own OpenAPI document: Schemathesis makes requests that are as the
# document has them and requests that are not, once with an operator's token and once with a
# member's, and compares each answer with what the document promises.
#
#   SCHEMATHESIS_EXAMPLES   how many random requests for each operation and token (30)
#
# The platform is one of its own, on a free port, in a folder that is removed in the end.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
python=$root/.tools/venv/bin/python
data=$(mktemp -d "${TMPDIR:-/tmp}/schemathesis.XXXXXX")
platform=

finish() {
  if [ -n "$platform" ]; then
    kill "$platform" 2>/dev/null || true
    wait "$platform" 2>/dev/null || true
  fi
  rm -rf "$data"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

cd "$root"
cargo build --quiet --package loop-platform
LOOP_DATA=$data LOOP_LISTEN=127.0.0.1:0 LOOP_LOG=error \
  cargo run --quiet --package loop-platform --bin loop -- up >"$data/log" 2>&1 &
platform=$!
tries=0
until [ -e "$data/credentials.json" ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 600 ] || ! kill -0 "$platform" 2>/dev/null; then
    cat "$data/log" >&2
    echo "schemathesis: the platform does not start" >&2
    exit 1
  fi
  sleep 0.1
done

# The API's address, the operator's token and the member's.
place=$(PYTHONPATH=$root/tests/clients/python PYTHONDONTWRITEBYTECODE=1 \
  "$python" - "$data/credentials.json" <<'PYTHON'
import json
import sys

import httpx
from sign_in import sign_in

with open(sys.argv[1]) as file:
    told = json.load(file)
grant = {"grant_type": "client_credentials", "brand_id": "loop", **told["operator"]}
answer = httpx.post(told["api"] + "/v1/oauth/token", data=grant).raise_for_status()
member = sign_in(told["api"], told["member"]["email"], told["member"]["password"])
print(told["api"], answer.json()["access_token"], member["access_token"])
PYTHON
)
api=${place%% *}
tokens=${place#* }

# It keeps notes in the folder it is started in.
cd "$data"
for token in $tokens; do
  "$root/.tools/venv/bin/schemathesis" --config-file "$root/deploy/dev/schemathesis.toml" \
    run "$api/openapi.json" --header "Authorization: Bearer $token" \
    --max-examples "${SCHEMATHESIS_EXAMPLES:-30}" --continue-on-failure --no-color
done
