#!/usr/bin/env bash
# Every variant of every kernel forced in turn, with wgpu's runtime checks off and on: `gatenorm verify`, and the comparison with
# Keras. Not part of the suite: it takes minutes. `tests/matrix.sh [KERNEL=VARIANT ...]`; GATENORM_TEST_DEVICE names the adapter,
# by default the first that `gatenorm devices` lists.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --quiet
cargo test --release --quiet --no-run --test keras_parity --test training --test lockstep
export GATENORM_CACHE=off
device=${GATENORM_TEST_DEVICE:-0}
variants=("$@")
if [ ${#variants[@]} = 0 ]; then
    mapfile -t variants < <(target/release/gatenorm verify --variants)
fi
failed=()
for variant in "${variants[@]}"; do
    for checked in 0 1; do
        flags=()
        if [ $checked = 1 ]; then flags=(--checked); fi
        echo "== $variant, checks $checked"
        export GATENORM_VARIANT="$variant" GATENORM_CHECKED=$checked
        target/release/gatenorm verify --device "$device" "${flags[@]}" --kernels "${variant%%=*}" --steps 8 | tail -n 3 ||
            failed+=("$variant, checks $checked: verify")
        cargo test --release --quiet --no-fail-fast --test keras_parity --test training --test lockstep ||
            failed+=("$variant, checks $checked: tests")
    done
done
if [ ${#failed[@]} != 0 ]; then
    printf "failed: %s\n" "${failed[@]}" >&2
    exit 1
fi
echo "all variants agree"
