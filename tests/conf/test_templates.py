"""The settings for clusters: each line is explained, set once, and fits the other files that it names."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from sparkalbert.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = "spark-defaults.conf"
CLUSTERS = ["standalone.conf", "yarn.conf", "kubernetes.conf"]
CACHE = "/var/cache/sparkalbert"


def text_of(name):
    return (ROOT / "conf" / name).read_text(encoding="utf-8")


def settings(name):
    """Return the names and values of a file, repetitions included."""
    lines = [line.split(None, 1) for line in text_of(name).splitlines() if line and not line.startswith("#")]
    return [(key, value.strip()) for key, value in lines]


def comment(name):
    """Return the comment at the start of a file, with continued lines joined."""
    first = text_of(name).partition("\n\n")[0]
    return re.sub(r"\\\n *", "", re.sub(r"^# ?", "", first, flags=re.MULTILINE))


@pytest.mark.parametrize("name", [DEFAULTS, *CLUSTERS])
def test_each_setting_stands_under_its_explanation(name):
    for paragraph in text_of(name).split("\n\n"):
        set_here = [line for line in paragraph.splitlines() if not line.startswith("#")]
        assert paragraph.startswith("# ")
        assert len(set_here) <= 1 or name == DEFAULTS  # the options of Java are those of driver and executor


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_file_can_be_put_under_the_defaults(name):
    keys = [key for key, _ in settings(DEFAULTS) + settings(name)]
    assert all(key.startswith("spark.") for key in keys)
    assert sorted(set(keys)) == sorted(keys)
    assert f"cat conf/{DEFAULTS} conf/{name} > cluster.conf" in comment(name)


@pytest.mark.parametrize("name", CLUSTERS)
def test_our_command_accepts_what_the_comment_submits(name):
    (line,) = [line for line in comment(name).splitlines() if "spark-submit" in line]
    before, _, after = line.partition(" conf/submit.py ")
    assert before.split()[-2:] == ["--properties-file", "cluster.conf"]
    command, *arguments = shlex.split(after)
    context = typer.main.get_command(app).commands[command].make_context(command, arguments)
    assert context.params["model"] in {"albert_mini_en", "/models/albert-base-int8"}


def test_the_python_is_that_of_the_archive():
    for name, archive in [("standalone.conf", "spark.archives"), ("yarn.conf", "spark.yarn.dist.archives")]:
        found = dict(settings(name))
        folder = found[archive].partition("#")[2]
        assert found["spark.pyspark.python"] == f"./{folder}/bin/python"
        assert found["spark.executorEnv.SPARKALBERT_HOME"] == CACHE


def test_the_pod_mounts_its_volume_where_the_image_keeps_models():
    found = dict(settings("kubernetes.conf"))
    template = ROOT / found["spark.kubernetes.executor.podTemplateFile"]
    pod = yaml.safe_load(template.read_text(encoding="utf-8"))
    assert (pod["apiVersion"], pod["kind"]) == ("v1", "Pod")
    (container,) = pod["spec"]["containers"]
    assert container["name"] == "spark-kubernetes-executor"  # Spark looks for the name
    (mount,), (volume,) = container["volumeMounts"], pod["spec"]["volumes"]
    assert mount == {"name": volume["name"], "mountPath": CACHE}
    assert f"ENV SPARKALBERT_HOME={CACHE}" in comment("kubernetes.conf")


def test_the_image_is_built_from_the_wheel():
    lines = [line.strip() for line in comment("kubernetes.conf").splitlines()]
    first = lines.index("USER root")
    assert lines[first + 1 : first + 3] == ["COPY dist/*.whl /tmp/", "RUN pip install --no-cache-dir /tmp/*.whl"]
