# Sourced by golden.sh and run.sh: makes .venv-oracle once. It needs Python 3.11 or later with venv
# and pip; PYTHON names another one than python3.
venv=.venv-oracle
requirements=tests/oracle/requirements.txt
old_pillow=$venv/pillow12
export PYTHONDONTWRITEBYTECODE=1 HF_HUB_OFFLINE=1 OMP_WAIT_POLICY=PASSIVE

# The stamp is a copy of the requirements that were installed.
if ! cmp --silent "$requirements" "$venv/.installed"; then
    [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    rm -rf "$old_pillow"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --target "$old_pillow" pillow==12.0.0
    cp "$requirements" "$venv/.installed"
fi
