#!/usr/bin/env bash
# Every variant of every kernel forced in turn, with wgpu's runtime checks off and on: `gatenorm verify`, the comparison with Keras,
# training, and training in lockstep. Not part of the suite: it takes some 35 minutes on two cores. `tests/matrix.sh [KERNEL=VARIANT ...]`;
# GATENORM_TEST_DEVICE names the adapter, by default the first that `gatenorm devices` lists.
#
# A variant that the adapter cannot run is told and left out. Cooperative matrices, which nothing but their options turns on and which
# compute in another precision than the tests' bounds are for, are verified only.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --quiet
cargo test --release --quiet --no-run --test keras_parity --test training --test lockstep
export GATENORM_CACHE=off
# Drivers complain where there is none.
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp}
device=${GATENORM_TEST_DEVICE:-0}
gatenorm=target/release/gatenorm
variants=("$@")
if [ ${#variants[@]} = 0 ]; then
    mapfile -t variants < <($gatenorm verify --variants)
fi
failed=()
run=0
unfit=0

# The options without which a variant is not even a candidate.
options_of() {
    case $1 in
        matmul=half*) echo "--precision f16 --cooperative-matrices" ;;
        matmul=single*) echo "--cooperative-matrices" ;;
    esac
}

for variant in "${variants[@]}"; do
    kernel=${variant%%=*}
    read -ra options <<< "$(options_of "$variant")"
    for checked in 0 1; do
        pass="$variant, checks $([ $checked = 1 ] && echo on || echo off)"
        echo "== $pass"
        export GATENORM_VARIANT="$variant" GATENORM_CHECKED=$checked
        flags=(--device "$device" --kernels "$kernel" --steps 8 "${options[@]}")
        if [ $checked = 1 ]; then flags+=(--checked); fi
        if ! said=$($gatenorm verify "${flags[@]}" 2>&1); then
            if grep -q "has no cooperative matrices\|matrices of [a-z0-9 ]* only\|none for subgroups" <<< "$said"; then
                unfit=$((unfit + 1))
                echo "left out: $(tail -n 1 <<< "$said")"
                continue
            fi
            failed+=("$pass: verify")
        elif ! grep -q "^$kernel  *${variant#*=} " <<< "$said"; then
            unfit=$((unfit + 1))
            echo "left out: fits nothing on this device"
            continue
        fi
        tail -n 3 <<< "$said"
        if [ ${#options[@]} = 0 ]; then
            # What no variant changes is left to the suite.
            cargo test --release --quiet --no-fail-fast --test keras_parity --test training --test lockstep -- --skip a_slip ||
                failed+=("$pass: tests")
        fi
        run=$((run + 1))
    done
done
if [ ${#failed[@]} != 0 ]; then
    printf "failed: %s\n" "${failed[@]}" >&2
    exit 1
fi
echo "all variants agree: $run passes, $unfit left out, which this device cannot run"
