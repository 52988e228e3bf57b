"""The hub's cache as `huggingface_hub` reads and writes it, for the ignored tests of tests/command/hub/python.rs.

    hub.py read REPO FILE…     prints, as JSON, where it finds each file and the snapshot, offline
    hub.py write REPO FILE…    downloads the files

The cache is `HF_HUB_CACHE`, the hub `HF_ENDPOINT`.
"""

import json
import sys

import huggingface_hub
from huggingface_hub import hf_hub_download, snapshot_download, try_to_load_from_cache

mode, repo, *files = sys.argv[1:]
if mode == "write":
    for file in files:
        hf_hub_download(repo, file)
else:
    found = {}
    for file in files:
        path = try_to_load_from_cache(repo, file)
        found[file] = path if path is None or isinstance(path, str) else "known to be absent"
    # All that is in the cache is the model: it is given without asking the network.
    found["snapshot"] = snapshot_download(repo, local_files_only=True)
    found["version"] = huggingface_hub.__version__
    print(json.dumps(found))
