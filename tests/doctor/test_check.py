"""What to do about the errors that threads about Spark and Python begin with."""

import pytest

from sparkalbert.doctor.check import failed, mend_of

THREADS = {
    "TypeError: 'JavaPackage' object is not callable": "import from sparkalbert instead of sparknlp",
    "py4j.protocol.Py4JError: org.apache.spark.api.python.PythonUtils.getPythonAuthSocketTimeout does not exist in "
    "the JVM": "unset SPARK_HOME",
    "Exception: Python in worker has different version 3.8 than that in driver 3.10, PySpark cannot run with different "
    "minor versions. Please check environment variables PYSPARK_PYTHON and PYSPARK_DRIVER_PYTHON are correctly set.": (
        "Set PYSPARK_PYTHON"
    ),
    "pyspark.errors.exceptions.base.PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] Python in worker has different "
    "version: 3.9 than that in driver: 3.11": "Set PYSPARK_PYTHON",
    "Exception: Java gateway process exited before sending its port number": "set JAVA_HOME to a Java that",
    "[JAVA_GATEWAY_EXITED] Java gateway process exited before sending its port number.": "set JAVA_HOME to a Java that",
    "java.lang.UnsupportedClassVersionError: org/apache/spark/launcher/Main has been compiled by a more recent version "
    "of the Java Runtime (class file version 61.0)": "Java is too old",
    "ModuleNotFoundError: No module named 'sparkalbert'": "in the Python of every executor",
    "The Spark job failed: A Python worker was killed, usually for memory.": "spark.executor.memoryOverhead",
    "something else": "--debug",
}


@pytest.mark.parametrize("message", THREADS)
def test_the_first_line_of_a_thread_leads_to_its_mend(message):
    assert THREADS[message] in mend_of(message)


def test_the_error_of_a_missing_jar_is_recognized(spark):
    with pytest.raises(TypeError) as raised:
        spark._jvm.com.johnsnowlabs.nlp.DocumentAssembler()
    assert "sparkalbert instead of sparknlp" in mend_of(str(raised.value))


def test_a_failure_is_one_line():
    check = failed("executors", "No module named 'regex'\n  File x\n")
    assert (check.status, check.found) == ("failed", "No module named 'regex'")
