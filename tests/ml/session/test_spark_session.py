"""A session of one's own: how its JVM reads vectors, and what a user adds to that."""

import os
import subprocess
import sys

SESSION = """
from sparkalbert.ml import start
spark = start("local[1]", {"spark.driver.extraJavaOptions": "-Dmine=1"})
read = spark._jvm.System.getProperty
names = ("arrow.enable_null_check_for_get", "arrow.enable_unsafe_memory_access", "mine")
print([read(name) for name in names])
"""


def test_a_local_session_reads_vectors_unchecked_and_keeps_options_of_the_jvm():
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPARK")}
    done = subprocess.run(
        [sys.executable, "-c", SESSION],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "['false', 'true', '1']"
