"""The journal: all of a record, or the one before."""

import subprocess
import sys
from pathlib import Path

import llmaz.shim

# A limit of a file's size acts as a disk that fills up: the first write comes short, the next
# fails.
WRITER = """\
import resource, sys
sys.path.insert(0, sys.argv[1])
from llmaz.shim import journal
from llmaz.shim.crash import Effects
effects = Effects("shim", "")
journal.write({"mark": "a", "run": 1}, effects)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    journal.write({"mark": "a", "descendants": [[pid, 1] for pid in range(1000)]}, effects)
except OSError as error:
    print(error.strerror)
print(journal.read())
"""


def test_a_record_that_does_not_fit_leaves_the_one_before(tmp_path: Path) -> None:
    root = str(Path(llmaz.shim.__file__).parents[2])
    command = (sys.executable, "-I", "-S", "-c", WRITER, root)
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout == "File too large\n{'mark': 'a', 'run': 1}\n"
