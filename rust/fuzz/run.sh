#!/bin/sh
# Fuzzes: run.sh SECONDS [TARGET...] runs each target, by default all of them, for so many seconds, one after the other, one
# process each. Findings end up in artifacts/TARGET/. Needs cargo-fuzz (cargo install cargo-fuzz) and a C++ compiler; works with
# a stable toolchain, since without a sanitizer no unstable compiler flag is used: the crates under test have no unsafe code.
set -eu
cd "$(dirname "$0")"
seconds=${1:?seconds per target}
shift
[ $# -gt 0 ] || set -- request_head response_head body_framing path_normalise change_set proxy_header
for target in "$@"; do
    case $target in
        request_head | response_head | body_framing) dict=http ;;
        path_normalise) dict=path ;;
        *) dict=$target ;;
    esac
    mkdir -p "corpus/$target"
    cargo fuzz run --fuzz-dir . --sanitizer none "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -max_len=4096 -dict="dicts/$dict.dict" -print_final_stats=1
done
