#!/usr/bin/env bash
# Regenerates tests/golden from the reference implementations and shows what changed.
#
#     tests/oracle/golden.sh [golden/script.py ...]
#
# Without arguments it runs every script.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/oracle/setup.sh

# Files that hold helpers only.
helpers=" noise.py weights.py "
if [ $# -eq 0 ]; then
    # These first: lora.py and pipelines.py use their folders.
    first='unet.py vae.py clip.py'
    set -- $first $(cd tests/oracle/golden && ls -- *.py | grep -vxF -e "${first// /$'\n'}")
fi
for script in "$@"; do
    name=$(basename "$script")
    case $helpers in *" $name "*) continue ;; esac
    arguments=()
    [ "$name" != resize.py ] || arguments=("$old_pillow")
    echo "== $name"
    "$venv/bin/python" "tests/oracle/golden/$name" ${arguments[@]+"${arguments[@]}"}
done

echo "== changes"
git --no-pager diff --stat -- tests/golden
git ls-files --others --exclude-standard -- tests/golden | sed 's/^/new: /'
