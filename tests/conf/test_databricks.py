"""The asset bundle for Databricks: Databricks' own classes read its jobs, and our command accepts what they run.

The whole file is validated against the public schema where it is available: ``DATABRICKS_BUNDLE_SCHEMA`` names the
output of ``databricks bundle schema``, or the command itself is on the PATH. The schema is not part of this repository.
"""

import copy
import json
import os
import re
import shutil
import subprocess
from importlib.metadata import entry_points, requires
from pathlib import Path

import jsonschema
import pytest
import regex
import typer
import yaml
from databricks.bundles.jobs import Job, Task

from sparkalbert.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = yaml.safe_load((ROOT / "conf" / "databricks.yml").read_text(encoding="utf-8"))
FIELDS = {
    "bundle": {"name"},
    "variables.*": {"description", "default"},
    "artifacts.*": {"type", "path", "build"},
    "resources": {"jobs"},
    "targets.*": {"mode", "default", "workspace"},
    "targets.*.workspace": {"root_path"},
}
"""The fields of the public schema that the sections around the jobs may use."""

MISTAKES = {
    "top": lambda bundle: bundle.update(targts=bundle.pop("targets")),
    "bundle": lambda bundle: bundle["bundle"].update(nme="a"),
    "variable": lambda bundle: bundle["variables"]["model"].update(defualt="a"),
    "artifact": lambda bundle: bundle["artifacts"]["sparkalbert"].update(typ="whl"),
    "resource": lambda bundle: bundle["resources"].update(job={}),
    "target": lambda bundle: bundle["targets"]["dev"].update(mod="development"),
    "workspace": lambda bundle: bundle["targets"]["prod"]["workspace"].update(rootpath="/"),
}
ALLOWED_BY_SCHEMA = {"top"}
"""The public schema accepts any key at the top, where a YAML anchor may stand."""

JOBS = [pytest.param(job, id=name) for name, job in BUNDLE["resources"]["jobs"].items()]


def unknown_fields(bundle):
    """The fields outside of the jobs that are not among those of the public schema."""
    unknown = bundle.keys() - {path.partition(".")[0] for path in FIELDS}
    for path, known in FIELDS.items():
        parts = [bundle]
        for name in path.split("."):
            deeper = [part.values() if name == "*" else [part.get(name, {})] for part in parts]
            parts = [part for found in deeper for part in found]
        unknown |= {field for part in parts for field in part.keys() - known}
    return unknown


def public_schema():
    """The schema of the installed Databricks CLI, or in the file that an environment variable names."""
    named = os.environ.get("DATABRICKS_BUNDLE_SCHEMA")
    if named:
        return json.loads(Path(named).read_text(encoding="utf-8"))
    command = shutil.which("databricks")
    if command is None:
        pytest.skip("needs the Databricks CLI, or DATABRICKS_BUNDLE_SCHEMA=FILE of `databricks bundle schema`")
    shown = subprocess.run([command, "bundle", "schema"], capture_output=True, text=True, check=True)
    return json.loads(shown.stdout)


def matches(_validator, pattern, text, _schema):
    """Check a pattern as Go does: Python's own expressions have no Unicode properties."""
    if isinstance(text, str) and not regex.search(pattern, text):
        yield jsonschema.ValidationError(f"{text!r} does not match {pattern!r}")


def test_the_sections_around_the_jobs_have_known_fields():
    assert unknown_fields(BUNDLE) == set()
    assert {artifact["type"] for artifact in BUNDLE["artifacts"].values()} == {"whl"}
    assert [target["mode"] for target in BUNDLE["targets"].values()] == ["development", "production"]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_wrong_name_around_the_jobs_is_found(mistake):
    bundle = copy.deepcopy(BUNDLE)
    MISTAKES[mistake](bundle)
    assert len(unknown_fields(bundle)) == 1


def test_the_public_schema_accepts_the_bundle():
    schema = public_schema()
    base = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    validator = jsonschema.validators.extend(base, {"pattern": matches})(schema)
    assert [error.message for error in validator.iter_errors(BUNDLE)] == []
    for name in MISTAKES.keys() - ALLOWED_BY_SCHEMA:
        bundle = copy.deepcopy(BUNDLE)
        MISTAKES[name](bundle)
        assert not validator.is_valid(bundle), name


@pytest.mark.parametrize("job", JOBS)
def test_the_python_workers_stay_below_the_limit_of_their_machine(job):
    (task,) = job["tasks"]
    options = dict(re.findall(r"--([a-z-]+)=(\d+)", " ".join(task["python_wheel_task"]["parameters"])))
    budget_mb = int(options["memory-budget-mb"])
    if "environment_key" in task:
        assert budget_mb < 1000, "serverless compute limits Python code to 1 GB"
        return
    (cluster,) = job["job_clusters"]
    assert cluster["new_cluster"]["node_type_id"] == "c6i.4xlarge", "16 cores, 32 GiB"
    heap_gib = int(cluster["new_cluster"]["spark_conf"]["spark.executor.memory"].removesuffix("g"))
    assert 16 * budget_mb * 1e6 + heap_gib * 2**30 < 0.9 * 32 * 2**30, "the rest is the system's"


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
