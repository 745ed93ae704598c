#!/bin/sh
# Fuzzes the transcoder: each target for FUZZ_SECONDS, or only the targets that are named.
#
# A target begins with its committed corpus. What it finds beyond goes to .tools/fuzz, and an
# input that breaks it to crates/transcode/fuzz/artifacts.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
fuzz=$root/crates/transcode/fuzz
PATH=$root/.tools/cargo/bin:$PATH

[ $# -gt 0 ] || set -- json_parser wire_reader router query http_head
for target; do
  echo "fuzz: $target for ${FUZZ_SECONDS:-60} s"
  mkdir -p "$root/.tools/fuzz/$target"
  # The code under test has no `unsafe`, so that a sanitizer would only slow it down.
  cargo +nightly fuzz run --fuzz-dir "$fuzz" --sanitizer none "$target" \
    "$root/.tools/fuzz/$target" "$fuzz/corpus/$target" -- \
    "-max_total_time=${FUZZ_SECONDS:-60}" -timeout=10 -verbosity=0 -print_final_stats=1
done
