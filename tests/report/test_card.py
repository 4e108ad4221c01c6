"""The model card: front matter that hubs can read, and no number that the manifest does not have."""

import dataclasses
import re

import pytest
import tiny
import yaml

from zoo.artifact import tensor
from zoo.artifact.manifest import read_manifest
from zoo.report.card import markdown


@pytest.fixture(scope="module")
def text(exported):
    return (exported.folder / "README.md").read_text("utf-8")


def test_the_drawing_of_the_game(exported, text):
    drawing = (exported.folder / "game.svg").read_text("utf-8")
    assert "![the game: what each phase computes and trains](game.svg)" in text
    assert drawing.startswith("<svg ") and all(name in drawing for name in ("on_fake", "g_loss", "generator"))
    assert len(drawing) < 20_000


def front(text):
    begin, matter, _ = text.split("---\n", 2)
    assert begin == ""
    return yaml.safe_load(matter)


def test_front_matter(text):
    assert front(text) == {
        "license": "unknown",
        "library_name": "onnxruntime",
        "tags": ["gan", "onnx", "keras", "tiny"],
        "datasets": ["digits"],
        "pipeline_tag": "unconditional-image-generation",
    }


@pytest.mark.parametrize("licence", ["CC BY-SA 3.0: see text", "# none", "[mine]", "no", "other"])
def test_front_matter_survives_any_licence(exported, tiny_run, licence):
    manifest = dataclasses.replace(exported.manifest, licence=licence)
    assert str(front(markdown(manifest, tiny_run.spec, exported.folder))["license"]) == licence.lower()


def test_numbers_are_those_of_the_manifest(text, exported):
    manifest = read_manifest(exported.folder)
    weights, run, parity = manifest.weights, manifest.training, manifest.parity

    def number(pattern):
        found = re.findall(pattern, text)
        assert len(found) == 1, (pattern, found)
        return float(found[0].replace(",", ""))

    assert (
        number(r"([\d,]+) steps,")
        == weights["step"]
        == number(rf"`zoo build {re.escape(str(exported.folder))}/spec.yaml --steps (\d+) --budget 1h --out mine`")
    )
    assert number(r"([\d,]+) real\nimages shown") == weights["images"]
    assert number(r", (\d+) seconds on") == round(run["seconds"])
    assert number(r"\(([\d,]+) images/s\)") == round(weights["images"] / max(run["seconds"], 1))
    assert number(r" seed (\d+)\.") == weights["seed"]
    assert f"\nMade with gan-zoo {manifest.versions['gan-zoo']}, keras {manifest.versions['keras']}, " in text
    assert number(r"half-life ([\d,]+) images") == weights["ema_half_life_images"]
    assert number(r"([\d,]+) parameters") == weights["parameters"]
    assert number(r"absolute difference ([\d.e-]+) over") == pytest.approx(parity["max_abs_difference"], rel=0.06)
    assert number(r"\(limit ([\d.e-]+)\)") == parity["tolerance"]
    assert f"`{manifest.spec_sha256[:16]}..." in text
    assert f" on {run['machine']} (" in text and f"batch norm statistics: {weights['batch_norm']}." in text


@pytest.mark.parametrize(("seconds", "hours"), [(1711.1, "1h"), (1801, "2h"), (7891.5, "5h")])
def test_the_command_leaves_twice_the_time(exported, tiny_run, seconds, hours):
    manifest = dataclasses.replace(exported.manifest, training=exported.manifest.training | {"seconds": seconds})
    assert f" --budget {hours} --out mine` makes " in markdown(manifest, tiny_run.spec, exported.folder)


@pytest.mark.parametrize(("seconds", "told"), [(119.4, "119 seconds"), (120, "2 minutes"), (1680, "28 minutes")])
def test_how_long_it_took(exported, tiny_run, seconds, told):
    manifest = dataclasses.replace(exported.manifest, training=exported.manifest.training | {"seconds": seconds})
    assert f"\nimages shown, {told} on " in markdown(manifest, tiny_run.spec, exported.folder)


def test_the_batches_it_speaks_of_are_those_that_were_compared(text, exported):
    told = re.search(r"over batches of (.*) and latents of (.*)\n? ?\(limit", text)
    sizes = {f"batch_{n}" for n in re.findall(r"\d+", told[1])}
    fills = {"all_+0", "all_+10", "all_-10"} if told[2].strip() == "0 and +-10" else set()
    assert sizes | fills == set(exported.manifest.parity["cases"])


def test_the_contract_as_a_table(text):
    assert "| `z` | float32 | [batch, 4] | uniform low -1, high 1 |  |" in text
    assert "| `image` | float32 | [batch, 8, 8, 1] |  | [-1, 1], grey |" in text
    assert '{"INFERENCE_PRECISION_HINT": "f32"}' in text


def test_paper_and_deviations(text):
    assert "Paper: Nobody, Else, *Tiny: a study*, 2015, [arXiv 1511.06434](https://arxiv.org/abs/1511.06434)." in text
    assert "Where this model differs from the paper:\n\n* It is tiny." in text


def test_classes_and_what_is_absent(exported, tmp_path):
    """A conditional model without paper, deviations, average or range."""
    spec = tiny.read(tmp_path, tiny.LABELLED)
    label = tensor.Tensor("label", "int64", ("batch",), classes=("a", "b|c"))
    weights = exported.manifest.weights | {"kind": "last", "ema_half_life_images": None}
    manifest = dataclasses.replace(exported.manifest, inputs=(label,), weights=weights, parity={})
    text = markdown(manifest, spec, tmp_path)
    assert "| `label` | int64 | [batch] | class id: 0 a, 1 b\\|c |  |" in text
    assert "Exported: the last weights;" in text
    assert "Paper:" not in text and "differs from the paper" not in text and "Against Keras" not in text


def test_the_examples_in_it_run_where_it_was_built(text, exported):
    code, alone = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {}
    exec(code, names)
    assert names["images"].shape == (16, 8, 8, 1)
    exec(alone, names)
    assert names["pixels"].shape == (16, 8, 8, 1) and names["pixels"].dtype == "uint8" and names["pixels"].std() > 0


def test_paths_are_short_below_the_working_directory(exported, tiny_run, monkeypatch):
    monkeypatch.chdir(exported.folder.parents[1])
    place = "/".join(exported.folder.parts[-2:])
    text = markdown(exported.manifest, tiny_run.spec, exported.folder)
    assert f'zoo.load("{place}")' in text and f"zoo build {place}/spec.yaml " in text
    assert text.count(f'"{place}/generator.onnx"') == 3  # Python, JavaScript, C++


def test_a_card_of_the_users_own_images(exported, tiny_run):
    """No hub knows their data set; nobody has chosen a licence; the numbers are those of the manifest."""
    counts = {"images": 1112, "classes": 3, "left_out": {".txt": 2}}
    data = exported.manifest.data | {"name": "folder", "title": "A folder of images", "licence": "the user's own"}
    text = markdown(dataclasses.replace(exported.manifest, data=data), tiny_run.spec, exported.folder)
    assert "datasets" not in front(text) and front(text)["license"] == "unknown"
    assert "The user's own images; what may be done" in text and "The weights: no licence is stated." in text
    assert "learnt from the user's own images alone" in text
    counted = dataclasses.replace(exported.manifest, data=data | {"counts": counts})
    told = "The user's own images (1,112 images, 3 classes; 2 files left out (.txt: 2)); what"
    assert told in markdown(counted, tiny_run.spec, exported.folder)


def test_the_film_of_the_training(text, exported, tiny_run):
    caption = "what the generator made of the same latents, step after step of its training"
    assert text.count(f"![{caption}](film.png)") == 1
    files = {name: sha256 for name, sha256 in exported.manifest.files.items() if name != "film.png"}
    without = markdown(dataclasses.replace(exported.manifest, files=files), tiny_run.spec, exported.folder)
    assert "film" not in without
