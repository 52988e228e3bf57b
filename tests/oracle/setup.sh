# Sourced by golden.sh and run.sh: makes .venv-oracle once, and by `readers_venv` .venv-readers. It
# needs Python 3.11 or later with venv and pip; PYTHON names another one than python3.
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

# The readers of data sets live apart, so that what they ask for cannot move the oracle's versions.
# torch, torchvision, NumPy and Pillow are seen through a .pth file.
readers_venv() {
    local readers=.venv-readers requirements=tests/oracle/readers.txt site
    cmp --silent "$requirements" "$readers/.installed" && return
    [ -x "$readers/bin/python" ] || "$venv/bin/python" -m venv "$readers"
    site='import sysconfig; print(sysconfig.get_path("purelib"))'
    echo "import site; site.addsitedir('$("$venv/bin/python" -c "$site")')" \
        >"$("$readers/bin/python" -c "$site")/oracle.pth"
    "$readers/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$readers/.installed"
}
