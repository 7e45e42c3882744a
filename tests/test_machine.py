"""The cores of a process under affinity and quotas, from files as Linux writes them."""

import os
import subprocess
import sys

import pytest

from sparkalbert import machine
from sparkalbert.machine import available_cores, cpu_features, machine_facts, memory_limit

ALL = 16


@pytest.fixture(autouse=True)
def _many_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(ALL)), raising=False)


@pytest.fixture
def root(tmp_path):
    """Write files below an empty root and return it."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


VERSION_2 = {"proc/self/cgroup": "0::/kubepods/pod1/main\n"}
VERSION_1 = {"proc/self/cgroup": "5:cpu,cpuacct:/docker/abc\n4:cpuset:/\n3:memory:/docker/abc\n0::/\n"}
POD = "sys/fs/cgroup/kubepods/pod1"
DOCKER = "sys/fs/cgroup/cpu/docker/abc"


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("max 100000", ALL), ("99999999 100000", ALL)],
)
def test_a_quota_of_cgroup_version_2(root, quota, cores):
    assert available_cores(root({**VERSION_2, f"{POD}/main/cpu.max": quota + "\n"})) == cores


def test_the_smallest_quota_of_all_enclosing_groups_counts(root):
    files = {f"{POD}/main/cpu.max": "400000 100000\n", f"{POD}/cpu.max": "300000 100000\n"}
    assert available_cores(root({**VERSION_2, **files})) == 3
    assert available_cores(root({"sys/fs/cgroup/cpu.max": "250000 100000\n"})) == 3
    assert available_cores(root({"sys/fs/cgroup/kubepods/cpu.max": "50000 50000\n"})) == 1


def test_a_container_that_sees_its_own_group_as_the_root(root):
    """/proc names the path of the host, and the mount is the container's own."""
    assert available_cores(root({**VERSION_2, "sys/fs/cgroup/cpu.max": "200000 100000\n"})) == 2


@pytest.mark.parametrize(
    ("quota", "period", "cores"),
    [("200000", "100000", 2), ("250000", "100000", 3), ("10000", "100000", 1), ("-1", "100000", ALL)],
)
def test_a_quota_of_cgroup_version_1(root, quota, period, cores):
    files = {f"{DOCKER}/cpu.cfs_quota_us": quota + "\n", f"{DOCKER}/cpu.cfs_period_us": period + "\n"}
    assert available_cores(root({**VERSION_1, **files})) == cores


def test_version_1_in_a_container(root):
    files = {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}
    assert available_cores(root({**VERSION_1, **files})) == 3


def test_a_quota_of_another_controller_does_not_count(root):
    files = {
        "sys/fs/cgroup/memory/docker/abc/cpu.cfs_quota_us": "100000",
        "sys/fs/cgroup/memory/docker/abc/cpu.cfs_period_us": "100000",
    }
    assert available_cores(root({**VERSION_1, **files})) == ALL


@pytest.mark.parametrize("text", ["", "max", "a b", "1 2 3", "0 100000"])
def test_a_malformed_quota_is_none(root, text):
    assert available_cores(root({**VERSION_2, f"{POD}/main/cpu.max": text})) == ALL


def test_without_cgroups_affinity_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 7})
    assert available_cores(tmp_path) == 3


def test_a_group_whose_name_is_not_utf_8(tmp_path):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_bytes(b"0::/\xff\x0cjobs\n")
    group = tmp_path / "sys/fs/cgroup" / os.fsdecode(b"\xff\x0cjobs")
    group.mkdir(parents=True)
    (group / "cpu.max").write_text("200000 100000\n")
    assert available_cores(tmp_path) == 2


def test_affinity_below_the_quota_decides(root, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert available_cores(root({**VERSION_2, f"{POD}/main/cpu.max": "400000 100000"})) == 1


def test_the_affinity_of_a_real_process():
    script = (
        "import os\n"
        "from sparkalbert.machine import available_cores\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "print(available_cores())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "1\n"


def test_the_smallest_memory_limit_counts(root):
    assert memory_limit(root({})) is None
    assert memory_limit(root({"proc/meminfo": "MemTotal:       2000 kB\nMemFree: 1 kB\n"})) == 2_048_000
    assert memory_limit(root({**VERSION_2, f"{POD}/main/memory.max": "max\n"})) == 2_048_000
    assert memory_limit(root({f"{POD}/memory.max": "900000\n"})) == 900_000
    assert memory_limit(root({**VERSION_1, "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "5000"})) == 5000


def test_facts_are_those_of_this_machine():
    facts = machine_facts()
    assert facts["cores"] == available_cores()
    assert facts["cpu_features"] == cpu_features()
    assert {"sparkalbert", "numpy", "onnxruntime"} <= set(facts["libraries"])
    assert facts["python"] == ".".join(map(str, sys.version_info[:3]))


def test_the_version_of_a_library_may_be_that_of_another_distribution(monkeypatch):
    versions = {"onnxruntime-gpu": "1.31.0", "numpy": "2.4.6", "pyspark": "4.1.0", "pyspark-client": "4.0.1"}
    monkeypatch.setattr(machine, "_version", versions.get)
    assert machine_facts()["libraries"] == {"onnxruntime": "1.31.0", "pyspark": "4.1.0", "numpy": "2.4.6"}


def test_where_proc_is_missing_features_are_unknown(monkeypatch, tmp_path):
    class Missing(type(tmp_path)):
        def read_text(self, *_, **__):
            raise FileNotFoundError

    monkeypatch.setattr(machine, "Path", Missing)
    assert cpu_features() == []
