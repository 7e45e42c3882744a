"""Models are converted and run without what only Linux, or only POSIX, offers.

A process from which it is hidden stands for macOS and Windows, on which nothing was run. What is compiled (Spark's JVM,
ONNX Runtime, SentencePiece) still sees Linux, and paths are those of Linux; drive letters have tests of their own.
"""

import os

import numpy as np

from sparkalbert import WordEmbedder
from tests import child_processes, tiny_bundle

HIDDEN = '''
"""Python runs this module before the program, in the workers of Spark, too."""

import errno
import fcntl
import mmap
import os
import shutil
import signal
import subprocess  # decides by msvcrt whether it is on Windows, so it is imported before
import sys
import tempfile
import types

LK_UNLCK, LK_NBLCK = 0, 2


def locking(descriptor, mode, size, flock=fcntl.flock, lock=fcntl.LOCK_EX | fcntl.LOCK_NB, unlock=fcntl.LOCK_UN):
    assert size == 1
    try:
        flock(descriptor, {LK_UNLCK: unlock, LK_NBLCK: lock}[mode])
    except BlockingIOError as error:
        raise PermissionError(errno.EACCES, "Permission denied") from error


def refuse(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(("/proc", "/sys")):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), arguments[0])
    assert event != "os.kill" or arguments[1] != 0, "on Windows, signal 0 is Ctrl-C"


msvcrt = sys.modules["msvcrt"] = types.ModuleType("msvcrt")
msvcrt.locking, msvcrt.LK_UNLCK, msvcrt.LK_NBLCK = locking, LK_UNLCK, LK_NBLCK
for name in ("fcntl", "grp", "pwd", "resource"):
    sys.modules[name] = None
for name in ("chown", "fork", "getegid", "geteuid", "getgid", "getpgid", "getuid", "killpg", "sched_getaffinity",
             "sched_setaffinity", "setsid"):
    delattr(os, name)
if hasattr(os, "process_cpu_count"):  # since Python 3.13; defined with sched_getaffinity if that exists
    os.process_cpu_count = os.cpu_count
del mmap.MADV_DONTNEED, signal.SIGKILL
sys.addaudithook(refuse)
'''

PROGRAM = """
import sys
from pathlib import Path

import numpy as np

from sparkalbert import AlbertEmbeddings, WordEmbedder, start
from sparkalbert.bundle import Bundle, install_pack, installed, pack
from sparkalbert.convert import convert_checkpoint


def hides_fcntl(_):
    import os
    return sys.modules["fcntl"] is None and not hasattr(os, "getuid")


if __name__ == "__main__":
    checkpoint, folder = map(Path, sys.argv[1:])
    bundle = convert_checkpoint(checkpoint, folder / "bundle", precision="fp32")
    assert convert_checkpoint(checkpoint, folder / "bundle", precision="fp32", overwrite=True).digest == bundle.digest
    (words,) = WordEmbedder.load(bundle.path).embed_tokens([["the", "lighthouses"]])
    (cached,) = WordEmbedder.load(checkpoint, precision="fp32").embed_tokens([["the", "lighthouses"]])
    assert install_pack(bundle.digest, pack(bundle)) == installed(bundle.digest)

    # As on Windows, each task starts a worker: there is no fork.
    spark = start(master="local[1]", params={"spark.python.use.daemon": "false", "spark.ui.enabled": "false"})
    assert spark.sparkContext.parallelize([0], 1).map(hides_fcntl).collect() == [True]
    frame = spark.createDataFrame([(["the", "lighthouses"],)], "tokens array<string>")
    for way in ("path", "file"):
        stage = AlbertEmbeddings(model=str(bundle.path), modelDistribution=way)
        (row,) = stage.setInputCols("tokens").setOutputCol("vectors").transform(frame).collect()
        np.save(folder / way, np.array(row.vectors, dtype=np.float32))
    stage.write().save(str(folder / "stage"))
    assert AlbertEmbeddings.load(str(folder / "stage")).getOutputCol() == "vectors"
    np.save(folder / "words", words.vectors)
    np.save(folder / "cached", cached.vectors)
"""


def test_models_are_converted_and_run_without_what_only_posix_has(tmp_path):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "sitecustomize.py").write_text(HIDDEN)
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {
        **child_processes.own_spark_environment(),
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "modules"), os.environ.get("PYTHONPATH", "")]),
        "SPARKALBERT_HOME": str(tmp_path / "home"),
    }
    code = "import runpy, sys; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    checkpoint = str(tiny_bundle.checkpoint())
    child_processes.run_python(
        code, str(tmp_path / "program.py"), checkpoint, str(tmp_path), env=environment, timeout=550
    )
    (words,) = WordEmbedder.load(tiny_bundle.bundle().path).embed_tokens([["the", "lighthouses"]])
    for name in ("words", "cached", "path", "file"):
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), words.vectors)
