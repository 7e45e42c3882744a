"""The asset bundle for Databricks: Databricks' own classes read its jobs, and our command accepts what they run."""

import re
from importlib.metadata import entry_points, requires
from pathlib import Path

import pytest
import typer
import yaml
from databricks.bundles.jobs import Job, Task

from sparkalbert.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = yaml.safe_load((ROOT / "conf" / "databricks.yml").read_text(encoding="utf-8"))
JOBS = [pytest.param(job, id=name) for name, job in BUNDLE["resources"]["jobs"].items()]


@pytest.mark.parametrize("job", JOBS)
def test_databricks_knows_every_field(job):
    (task,) = Job.from_dict(job).tasks
    assert isinstance(task, Task)
    with pytest.raises(ValueError, match="Unexpected field"):
        Job.from_dict({**job, "enviroments": []})  # so a wrong name would be seen


@pytest.mark.parametrize("job", JOBS)
def test_the_task_starts_our_command_with_options_that_it_has(job):
    (task,) = job["tasks"]
    wheel = task["python_wheel_task"]
    (found,) = entry_points(group="console_scripts", name=wheel["entry_point"])
    assert found.dist is not None
    assert found.dist.name == wheel["package_name"] == "sparkalbert"
    name, source, *options = wheel["parameters"]
    context = typer.main.get_command(app).commands[name].make_context(name, [source, *options])
    assert context.params["vectors"] == "binary"
    assert context.params["output"] == "{{job.parameters.output}}"


@pytest.mark.parametrize("job", JOBS)
def test_every_name_is_declared(job):
    text = str(job)
    assert set(re.findall(r"\$\{var\.(\w+)\}", text)) <= BUNDLE["variables"].keys()
    declared = {parameter["name"] for parameter in job["parameters"]}
    assert set(re.findall(r"\{\{job\.parameters\.(\w+)\}\}", text)) == declared
    (task,) = job["tasks"]
    environments = [one["environment_key"] for one in job.get("environments", [])]
    clusters = [one["job_cluster_key"] for one in job.get("job_clusters", [])]
    assert [task.get("environment_key", task.get("job_cluster_key"))] == environments + clusters


@pytest.mark.parametrize("job", JOBS)
def test_what_it_installs_is_what_the_command_requires(job):
    named = [requirement for requirement in requires("sparkalbert") or () if "extra == 'cli'" in requirement]
    packages = [requirement.partition(";")[0].strip() for requirement in named]
    assert len(packages) == 2
    assert [package for package in ("../dist/*.whl", *packages) if package not in str(job)] == []
