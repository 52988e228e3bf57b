#!/usr/bin/env bash
# Compares hardlight with the Python libraries at full size and prints one table, worst case first.
#
#     tests/oracle/run.sh [suite[/case] ...]
#
# Three suites have no rows, and fail aloud: `hub` reads the hub's cache on either side as the other
# wrote it, `readers` reads exports with datasets, webdataset, torchvision, pandas and (if it is
# installed into .venv-readers) FiftyOne, and retrains from a manifest; `large` measures the memory that
# an ImageNet-size table takes.
#
# Any other suite is a script under tests/oracle/full and a module of the same name in tests/oracle/main.rs.
# For every case the script writes a folder (a checkpoint with random, well-scaled weights, inputs,
# and Python's outputs), then the ignored test of that name compares and writes rows. One process at
# a time; a folder is removed when its rows are written, so that 24 GB of memory and 20 GB of disk
# do. ORACLE_DIR (default target/oracle) is where folders and rows.jsonl go.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/oracle/setup.sh

dir=${ORACLE_DIR:-target/oracle}
mkdir -p "$dir"
rows=$(realpath "$dir")/rows.jsonl
: >"$rows"
if [ $# -eq 0 ]; then
    set -- $(cd tests/oracle/full && ls -- *.py | sed 's/\.py$//' | grep -vx -e table -e common) hub readers large
fi

failed=0
tables=0
for wanted in "$@"; do
    suite=${wanted%%/*}
    case $suite in
    hub)
        echo "== hub ($(date +%T))" >&2
        cargo test --release --locked --test command hub::python -- --ignored || failed=1
        continue
        ;;
    readers)
        echo "== readers ($(date +%T))" >&2
        readers_venv
        cargo test --release --locked --test command readers -- --ignored --nocapture || failed=1
        continue
        ;;
    large)
        echo "== large ($(date +%T))" >&2
        cargo build --release --locked
        "$venv/bin/python" tests/oracle/large.py "$(realpath target/release/hardlight)" || failed=1
        continue
        ;;
    esac
    [ $tables = 1 ] || cargo test --release --locked --test oracle --no-run
    tables=1
    cases=$("$venv/bin/python" "tests/oracle/full/$suite.py" --list)
    [ "$suite" = "$wanted" ] || cases=${wanted#*/}
    for case in $cases; do
        echo "== $suite/$case ($(date +%T))" >&2
        folder=$(realpath "$dir")/$suite-$case
        rm -rf "$folder"
        mkdir -p "$folder"
        if ! "$venv/bin/python" "tests/oracle/full/$suite.py" "$case" "$folder" ||
            ! HARDLIGHT_ORACLE_CASE=$folder HARDLIGHT_ORACLE_ROWS=$rows \
                cargo test --release --locked --test oracle -- --ignored --exact "$suite::compare" >"$folder.log" 2>&1; then
            echo "!! $suite/$case failed" >&2
            [ ! -f "$folder.log" ] || tail -20 "$folder.log" >&2
            failed=1
        fi
        rm -rf "$folder"
    done
done
[ $tables = 0 ] || "$venv/bin/python" tests/oracle/full/table.py "$rows" || failed=1
exit $failed
