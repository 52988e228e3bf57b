#!/usr/bin/env bash
# Regenerates tests/golden from the reference implementations and shows what changed.
#
#     tests/oracle/run.sh [script.py ...]
#
# Without arguments it runs every script. It needs Python 3.11 or later with venv and pip; PYTHON
# names another one than python3.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=.venv-oracle
requirements=tests/oracle/requirements.txt
old_pillow=$venv/pillow12
export PYTHONDONTWRITEBYTECODE=1

# The stamp is a copy of the requirements that were installed.
if ! cmp --silent "$requirements" "$venv/.installed"; then
    [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    rm -rf "$old_pillow"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --target "$old_pillow" pillow==12.0.0
    cp "$requirements" "$venv/.installed"
fi

# Files that hold helpers only.
helpers=" weights.py "
if [ $# -eq 0 ]; then
    set -- tests/oracle/*.py
fi
for script in "$@"; do
    name=$(basename "$script")
    case $helpers in *" $name "*) continue ;; esac
    arguments=()
    [ "$name" != resize.py ] || arguments=("$old_pillow")
    echo "== $name"
    "$venv/bin/python" "tests/oracle/$name" ${arguments[@]+"${arguments[@]}"}
done

echo "== changes"
git --no-pager diff --stat -- tests/golden
git ls-files --others --exclude-standard -- tests/golden | sed 's/^/new: /'
