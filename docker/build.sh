#!/bin/sh
# The program as the image has it, in target/release/fieldrange: static, with relocations packed and equal functions folded.
# Flags go to the last crate alone, so nothing else is built again.
set -eu
set -- "$@" -- -C target-feature=+crt-static
# The linker that Rust brings for x86-64 folds and packs; other machines' linkers are not asked to.
[ "$(uname -m)" != x86_64 ] || set -- "$@" -C link-arg=-Wl,-z,pack-relative-relocs -C link-arg=-Wl,--icf=all
exec cargo rustc --release --locked -p lab --bin fieldrange "$@"
