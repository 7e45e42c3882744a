"""Functions that tests run in processes of their own.

huggingface_hub reads its environment when it is imported, so each environment needs a process; and only real processes
can race. Everything here can be imported, as multiprocessing's spawn requires.
"""

import contextlib
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from sparkalbert.bundle import Bundle, install_pack, pack
from sparkalbert.errors import SparkAlbertError
from sparkalbert.models import find_model, inspect_model
from sparkalbert.storage.homes import HOME_VARIABLE

_VARIABLES = ("HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_TOKEN", "HF_HOME", "SPARKALBERT_HOME", "XDG_CACHE_HOME")


def own_spark_environment() -> dict[str, str]:
    """Return this process's environment without its Spark, for a process that starts its own.

    The folder of cached models stays, and so do the options with which ``make test`` and
    ``make notebooks`` let a JVM start faster.
    """
    kept = (HOME_VARIABLE, "SPARK_SUBMIT_OPTS")
    return {name: value for name, value in os.environ.items() if "SPARK" not in name or name in kept}


def run_python(code: str, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run Python code that starts a Spark of its own, and return the process, which must succeed."""
    command = [sys.executable, "-c", code, *arguments]
    options = {"env": own_spark_environment(), "timeout": 300, **options}
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done


@contextlib.contextmanager
def processes(environment: Mapping[str, str], count: int = 1) -> Iterator[ProcessPoolExecutor]:
    """Run functions in fresh processes with an environment of their own; an error in the block ends the processes."""
    spawn = multiprocessing.get_context("spawn")
    others = multiprocessing.active_children()
    with ProcessPoolExecutor(count, spawn, initializer=_start, initargs=(dict(environment),)) as pool:
        try:
            yield pool
        except BaseException:  # the pool waits for its processes, even if they hang
            for process in set(multiprocessing.active_children()).difference(others):
                process.terminate()
            raise


def _start(environment: Mapping[str, str]) -> None:
    for name in _VARIABLES:
        os.environ.pop(name, None)
    if "RENAMES" in environment:
        note_renames(environment["RENAMES"])
    os.environ.update({"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", **environment})


def meet(arguments: tuple[str, int]) -> int:
    """Return this process's id once as many processes as expected are here."""
    folder, expected = Path(arguments[0]), arguments[1]
    folder.mkdir(exist_ok=True)
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < expected:
        time.sleep(0.01)
    return os.getpid()


def note_renames(folder: str) -> None:
    """From now on, leave a file in a folder for every rename in this process: a directory's last name."""
    Path(folder).mkdir(exist_ok=True)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename" and Path(folder).is_dir():
            (Path(folder) / f"{Path(os.fsdecode(arguments[1])).name}@{os.getpid()}-{time.time_ns()}").touch()

    sys.addaudithook(hook)


def find(model: str, home: str, **options: Any) -> tuple[str, str]:
    """Return the bundle's folder, or the type and text of the error: ``("", path)`` or ``(type, text)``."""
    os.environ["SPARKALBERT_HOME"] = home
    try:
        return "", str(find_model(model, **options).verify().path)
    except SparkAlbertError as error:
        return type(error).__name__, str(error)


def inspect(model: str, home: str) -> tuple[str, Any]:
    """Return what would be loaded, an `Inspection`, or the folder of a bundle: ``("", found)`` or ``(type, text)``."""
    os.environ["SPARKALBERT_HOME"] = home
    try:
        found = inspect_model(model)
    except SparkAlbertError as error:
        return type(error).__name__, str(error)
    return "", str(found.path) if isinstance(found, Bundle) else found


def error_of(script: str, home: Path) -> str:
    """Run a script that fails in a fresh process and return what it printed to standard error."""
    environment = {**os.environ, "SPARKALBERT_HOME": str(home)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    return done.stderr


def exit_code(script: str, home: Path, *arguments: str) -> int:
    """Run a script in a fresh process and return its exit code."""
    environment = {**os.environ, "SPARKALBERT_HOME": str(home)}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False).returncode


def install(digest: str, path: str) -> str:
    """Install a pack and return its folder."""
    return str(install_pack(digest, path))


def pack_folder(folder: str) -> str:
    """Pack a bundle and return the path of the pack."""
    return str(pack(Bundle.open(folder)))


def with_file_limit(size_bytes: int, function: Callable[..., str], *arguments: str) -> tuple[str, str]:
    """Run a function where no file may grow beyond a size, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, resource.RLIM_INFINITY))
    try:
        return "", function(*arguments)
    except SparkAlbertError as error:
        return type(error).__name__, str(error)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
